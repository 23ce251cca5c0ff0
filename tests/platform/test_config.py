"""The experiment file: composition, overrides, and mistakes explained by path and allowed values."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from holdfast.base import ConfigError, set_key
from holdfast.config import Experiment, load_experiment, parse_experiment

VALUES: dict[str, Any] = {
    "name": "some",
    "data": {"source": "glyphs:", "train": {"split": "train"}, "evaluate": {"split": "evaluation"}},
    "stream": {"tasks": 3},
    "regularizers": [{"kind": "feature-distillation", "weight": 2}, {"kind": "prototype-alignment"}],
}


def experiment(**changes: Any) -> Experiment:
    return parse_experiment({**copy.deepcopy(VALUES), **changes})


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all configs inside an experiment, the experiment's own first."""
    if isinstance(value, BaseModel):
        inner = [places(getattr(value, name), (*path, name)) for name in type(value).model_fields]
        return [path, *(found for some in inner for found in some)]
    if isinstance(value, tuple):
        return [found for at, item in enumerate(value) for found in places(item, (*path, at))]
    return []


WHOLE = experiment(
    adapter={"kind": "linear"}, tuning={"space": {"seed": {"kind": "choice", "values": [1, 2]}}}
)
PLACES = places(WHOLE)


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        value = getattr(value, part) if isinstance(part, str) else value[part]
    return value


def test_an_experiment_is_made_of_the_parts_own_configs() -> None:
    assert {path[0] for path in PLACES if path} >= {
        "data", "stream", "model", "learning", "regularizers", "scaling", "evaluation", "adapter", "tuning",
    }  # fmt: skip
    assert WHOLE.regularizers[0].weight == 2
    assert WHOLE.parent == "latest"
    assert WHOLE.scaling.workers == 1


@given(path=st.sampled_from(PLACES), data=st.data())
def test_a_mistyped_key_anywhere_is_explained_with_the_right_one(
    path: tuple[str | int, ...], data: st.DataObject
) -> None:
    """Whichever config and whichever of its keys: a doubled last letter is refused, and the key suggested."""
    keys = list(type(at(WHOLE, path)).model_fields)
    key = data.draw(st.sampled_from(keys))
    values: Any = WHOLE.model_dump(mode="json")
    place = values
    for part in path:
        place = place[part]
    mistyped = key + key[-1]
    # A few keys are not written while they have their defaults.
    place[mistyped] = place.get(key)
    with pytest.raises(ConfigError) as refused:
        parse_experiment(values)
    said = str(refused.value)
    assert mistyped in said
    assert "unknown key. Did you mean" in said
    assert f"Allowed here: {', '.join(keys)}." in said


def test_writing_out_and_reading_back_gives_the_same(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(WHOLE.to_yaml())
    assert load_experiment(file) == WHOLE


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scaling.workers", 4),
        ("evaluation.resamples", 200),
        ("name", "other"),
        ("tuning", None),
        ("adapter", None),
        # Where the images lie may change; which images they are is in the checkpoint (test_other_data.py).
        ("data.source", "glyphs:?classes=60"),
    ],
)
def test_what_does_not_decide_the_weights_is_not_in_the_fingerprint(key: str, value: Any) -> None:
    values = WHOLE.model_dump(mode="json")
    set_key(values, key, value)
    assert parse_experiment(values).fingerprint == WHOLE.fingerprint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 1),
        ("stream.tasks", 2),
        ("model.preprocessing.size", 32),
        ("learning.optimizer.learning_rate", 0.01),
        ("learning.precision", "float32"),
        ("regularizers.feature-distillation.weight", 3),
        ("parent", "none"),
    ],
)
def test_what_decides_the_weights_is_in_the_fingerprint(key: str, value: Any) -> None:
    values = WHOLE.model_dump(mode="json")
    set_key(values, key, value)
    assert parse_experiment(values).fingerprint != WHOLE.fingerprint


def test_overrides_reach_lists_by_number_and_by_kind_and_make_missing_sections(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(yaml.safe_dump(VALUES))
    changed = load_experiment(
        file,
        [
            "regularizers.0.weight=5",
            "regularizers.prototype-alignment.weight=0.25",
            "learning.optimizer.learning_rate=1e-3",
            "stream.shares=[0.5, 0.5]",
            "stream.tasks=null",
            "data.evaluate.queries=instance < 2",
        ],
    )
    assert [term.weight for term in changed.regularizers] == [5, 0.25]
    assert changed.learning.optimizer.learning_rate == 1e-3
    assert changed.stream.shares == (0.5, 0.5)
    assert changed.data.evaluate.queries == "instance < 2"


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(), max_size=3),
    st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=3),
    st.integers(),
)
def test_a_key_that_was_set_is_there_and_the_others_stayed(
    before: dict[str, Any], parts: list[str], value: int
) -> None:
    after = copy.deepcopy(before)
    if len(parts) > 1 and parts[0] in before:
        with pytest.raises(ConfigError, match="single value"):
            set_key(after, ".".join(parts), value)
        return
    set_key(after, ".".join(parts), value)
    found: Any = after
    for part in parts:
        found = found[part]
    assert found == value
    assert {key: kept for key, kept in after.items() if key != parts[0]} == {
        key: kept for key, kept in before.items() if key != parts[0]
    }


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "3e5"])
def test_a_number_with_an_exponent_and_no_point_is_a_number(text: str) -> None:
    """YAML 1.1 takes 1e-3 for text; an experiment file means the number."""
    values = yaml.safe_load(f"optimizer: {{learning_rate: {text}}}")
    assert experiment(learning=values).learning.optimizer.learning_rate == float(text)
