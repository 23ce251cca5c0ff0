"""YAML as people mean it, and what is wrong with a text that is none."""

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.base import decode_yaml, dump_yaml, load_yaml


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' is there twice, in line 1 and again"),
        ("x:\n  a: {b: 1, 'b': 2}", "line 2, column 13: the key 'b' is there twice"),
        ("- a\n- b: 1\n  b: 1", "the key 'b' is there twice, in line 2"),
        ("base: &b {x: 1, x: 2}\nc: {<<: *b}", "the key 'x' is there twice"),
        ("a:\n\tb: 1", "line 2, column 1: a tab stands where only blanks may indent"),
        ("a: 1\n---\nb: 2", "line 2, column 1: a second document begins here"),
        ("a: [1", "line 1"),
        ("a: !!python/object:os.system {}", "python/object"),
        ("a: " + "[" * 1500, "nested too deeply"),
        ("a: *b", "undefined alias"),
        ("a: \0", "not valid YAML"),
    ],
)
def test_a_text_that_is_refused_says_where(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        load_yaml(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("off", "off"), ("y", "y"), ("true", True), ("False", False),
        ("1e-4", 1e-4), ("1E5", 1e5), (".5", 0.5), ("1.", 1.0), ("-.inf", float("-inf")),
        ("010", 10), ("0o17", 15), ("0x1F", 31), ("1_000", 1000), ("+5", 5),
        ("12:30", "12:30"), ("2024-01-01", "2024-01-01"), ("=", "="), ("~", None), ("", None), ("5e", "5e"),
    ],
)  # fmt: skip
def test_plain_values(text: str, value: Any) -> None:
    loaded = load_yaml(f"a: {text}")["a"]
    assert (loaded, type(loaded)) == (value, type(value))


def test_anchors_and_merges_may_be_overridden() -> None:
    text = "base: &b\n  <<: &c {x: 0, z: 9}\n  x: 1\n  y: 2\nc:\n  <<: *b\n  x: 3\nd: {<<: [*b, *c]}"
    loaded = load_yaml(text)
    assert loaded["base"] == {"x": 1, "y": 2, "z": 9}
    assert loaded["c"] == {"x": 3, "y": 2, "z": 9}
    assert loaded["d"] == {"x": 1, "y": 2, "z": 9}


@example({"\x85": "a\x85b", "\u2028": "a\u2028\u2029b", " ": "\x85"})
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
        | st.sampled_from(["no", "1e-4", "010", "12:30", "2024-01-01", "0o17", "~", "<<", "1_0", "5e3"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)  # fmt: skip
def test_what_is_written_is_read_again_by_any_reader(value: Any) -> None:
    text = dump_yaml(value)
    assert load_yaml(text) == value
    assert yaml.safe_load(text) == value


def test_encodings() -> None:
    for data in ("é: 1".encode(), b"\xef\xbb\xbf" + "é: 1".encode(), "é: 1".encode("utf-16")):
        assert load_yaml(decode_yaml(data)) == {"é": 1}
    with pytest.raises(ValueError, match=r"not UTF-8 \(line 2, byte 0xe9\)"):
        decode_yaml("a: 1\né: 2".encode("latin-1"))
