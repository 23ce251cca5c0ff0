import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base import ConfigError, DataError
from holdfast.data import select

COLUMNS = {
    "drawer": np.array([1, 5, 6, 20]),
    "label": np.array(["a", "b", "c", "a"]),
    "split": np.array(["train", "train", "test", "test"]),
    "share": np.array([0.1, 0.2, np.nan, 0.4]),
    "clean": np.array([True, False, True, True]),
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("drawer <= 5", [1, 1, 0, 0]),
        ("drawer > 16", [0, 0, 0, 1]),
        ("5 < drawer <= 20", [0, 0, 1, 1]),
        ("20 == drawer", [0, 0, 0, 1]),
        ("drawer > -1", [1, 1, 1, 1]),
        ("label in ['a', 'c']", [1, 0, 1, 1]),
        ("label not in ('a', 'c')", [0, 1, 0, 0]),
        ("drawer in [1, 20]", [1, 0, 0, 1]),
        ("label in []", [0, 0, 0, 0]),
        ("label == 'a' and drawer > 3", [0, 0, 0, 1]),
        ("label == 'b' or not split == 'train'", [0, 1, 1, 1]),
        ("not (label == 'a' or label == 'b')", [0, 0, 1, 0]),
        ("label != 'a'", [0, 1, 1, 0]),
        ("label >= 'b'", [0, 1, 1, 0]),
        ("share < 0.3", [1, 1, 0, 0]),
        ("clean", [1, 0, 1, 1]),
        ("clean and drawer == 6", [0, 0, 1, 0]),
        (" drawer == 1 ", [1, 0, 0, 0]),
    ],
)
def test_selects(expression: str, expected: list[int]) -> None:
    mask = select(expression, COLUMNS)
    assert mask.dtype == bool
    assert mask.tolist() == [bool(value) for value in expected]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "drawer <=",
        "drawer = 5",
        "drawer",
        "not label",
        "1 < 2",
        "drawer + 1 < 5",
        "drawer.max() < 5",
        "__import__('os').system('true') == 0",
        "label[0] == 'a'",
        "label is 'a'",
        "label in 'abc'",
        "label in drawer",
        "drawer == None",
        "drawer == [1]",
        "drawer if clean else label",
        "(lambda: 1)() == drawer",
        "drawer == 1; label == 'a'",
        "f'{drawer}' == '1'",
        "not " * 10_000 + "clean",
        "drawer == 1\x00",
    ],
)
def test_refuses_everything_else(expression: str) -> None:
    with pytest.raises(ConfigError, match=r"selection|compared with"):
        select(expression, COLUMNS)


def test_an_unknown_column_names_the_columns() -> None:
    with pytest.raises(DataError, match="names draw; the columns are drawer, label, split, share, clean"):
        select("draw <= 5", COLUMNS)


@pytest.mark.parametrize("expression", ["drawer == '5'", "label < 5", "label in ['a', 1]", "label == drawer"])
def test_text_is_not_compared_with_numbers(expression: str) -> None:
    with pytest.raises(DataError, match=r"compares .*text.* with|compares .*number.* with"):
        select(expression, COLUMNS)


@given(st.integers(-3, 25), st.integers(-3, 25), st.sampled_from(["a", "b", "c", "d"]))
def test_agrees_with_python(low: int, high: int, label: str) -> None:
    mask = select(f"not ({low} < drawer <= {high}) or label == {label!r} and drawer != {high}", COLUMNS)
    rows = zip(COLUMNS["drawer"].tolist(), COLUMNS["label"].tolist(), strict=True)
    assert mask.tolist() == [
        not (low < drawer <= high) or (name == label and drawer != high) for drawer, name in rows
    ]
