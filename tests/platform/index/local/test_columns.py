import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.filters import parse_filter
from holdfast.index.local.columns import Columns
from holdfast.testing.filters import ATTRIBUTES, filters, matches

FILTERS = filters()


@settings(max_examples=50, deadline=None)
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
        assert columns.mask(found).tolist() == [matches(row, raw) for row in model]
