"""A place is read in small portions, as an import reads it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from holdfast.base import flat_vectors
from holdfast.entries.arrow_columns import ids
from holdfast.entries.readers import Layout, open_reader, roles_of

Rows = dict[str, tuple[Any, ...]]
ReadPlace = Callable[..., Rows]


def read_place(origin: object, rows: int = 7, dimension: int = 8, **said: Any) -> Rows:
    """By id: the vector and then each attribute; read again from the middle on, which has to be the same."""
    layout = replace(Layout(), **said)
    with open_reader(str(origin), layout) as reader:
        roles = roles_of(reader, layout)
        portions = list(reader.portions(roles, None, rows))
        found: Rows = {}
        for portion in portions:
            names = ids("it", roles.id, portion.columns[roles.id]).to_pylist()
            matrix = flat_vectors("it", portion.columns[roles.vector])[0].reshape(len(names), dimension)
            others = [portion.columns[name].to_pylist() for name in roles.attributes]
            if portion.attributes is not None:
                others.append(portion.attributes.to_pylist())
            assert len(names) <= rows
            found |= {name: values for name, *values in zip(names, matrix, *others, strict=True)}
        listed = [name for column in reader.ids(roles) for name in ids("it", roles.id, column).to_pylist()]
        assert not listed or sorted(listed) == sorted(found)
        assert len(reader) == len(found)
        half = len(portions) // 2
        if half:
            rest = list(reader.portions(roles, portions[half - 1].position, rows))
            names = [name for each in rest for name in each.columns[roles.id].to_pylist()]
            wanted = [name for each in portions[half:] for name in each.columns[roles.id].to_pylist()]
            assert names == wanted
    return found


@pytest.fixture
def read() -> ReadPlace:
    return read_place


@pytest.fixture
def same() -> Callable[[Rows, dict[str, np.ndarray]], bool]:
    def compare(found: Rows, wanted: dict[str, np.ndarray]) -> bool:
        assert found.keys() == wanted.keys()
        return all(np.array_equal(found[name][0], wanted[name]) for name in wanted)

    return compare
