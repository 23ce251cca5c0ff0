import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.index import parse_filter
from holdfast.index.local.columns import Columns

VALUES = st.one_of(
    st.sampled_from(["red", "blue", "1", "True", ""]),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([0.5, -0.0, 1.0, 1e300, 2.0**53]),
)
ATTRIBUTES = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
BOUNDS = st.dictionaries(
    st.sampled_from(["gt", "gte", "lt", "lte"]), st.sampled_from([-1, 0, 0.5, 1, 2.0**53]), min_size=1
)
FILTERS = st.dictionaries(
    st.sampled_from("abcd"),
    st.one_of(VALUES, st.fixed_dictionaries({"in": st.lists(VALUES, min_size=1, max_size=3)}), BOUNDS),
    min_size=1,
    max_size=2,
)


def _kind(value: Any) -> type:
    return bool if isinstance(value, bool) else str if isinstance(value, str) else float


def _same(left: Any, right: Any) -> bool:
    return _kind(left) is _kind(right) and left == right


def _matches(attributes: dict[str, Any], raw: dict[str, Any]) -> bool:
    """The filter language in the plainest words."""
    compare = {
        "gt": lambda value, bound: value > bound,
        "gte": lambda value, bound: value >= bound,
        "lt": lambda value, bound: value < bound,
        "lte": lambda value, bound: value <= bound,
    }
    for key, wanted in raw.items():
        if key not in attributes:
            return False
        value = attributes[key]
        if not isinstance(wanted, dict):
            holds = _same(value, wanted)
        elif "in" in wanted:
            holds = any(_same(value, choice) for choice in wanted["in"])
        else:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            holds = number and all(compare[name](value, bound) for name, bound in wanted.items())
        if not holds:
            return False
    return True


@settings(max_examples=150, deadline=None)
@given(st.lists(ATTRIBUTES, max_size=12), st.data())
def test_columns_filter_as_dicts_would(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    columns = Columns()
    model: list[dict[str, Any]] = []
    while rows:
        step = data.draw(st.sampled_from(["add", "replace", "drop"]))
        if step == "add" or not model:
            count = data.draw(st.integers(1, len(rows)))
            new, rows = rows[:count], rows[count:]
            columns.resize(len(model) + len(new))
            columns.set(np.arange(len(model), len(model) + len(new)), [json.dumps(row) for row in new])
            model += new
        elif step == "replace":
            slot = data.draw(st.integers(0, len(model) - 1))
            model[slot] = rows.pop()
            columns.set(np.array([slot]), [json.dumps(model[slot])])
        else:
            slot = data.draw(st.integers(0, len(model) - 1))
            columns.move(np.array([len(model) - 1]), np.array([slot]))
            model[slot] = model[-1]
            model.pop()
            columns.resize(len(model))
        raw = data.draw(FILTERS)
        found = parse_filter(raw)
        assert found is not None
        assert columns.mask(found).tolist() == [_matches(row, raw) for row in model]
