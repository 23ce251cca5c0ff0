"""Vectors go into each database of others, and come out of it by its reader."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from holdfast.base import DataError
from holdfast.entries.readers import Layout, open_reader, roles_of
from holdfast.entries.writers import Target, open_writer
from tests.fixtures.vector_databases import (
    fill_lance,
    fill_milvus,
    fill_postgres,
    fill_qdrant,
    pgvector,  # noqa: F401
    run_sql,
)


@pytest.fixture
def rows(vectors: Callable[..., np.ndarray]) -> np.ndarray:
    return vectors(20)


@pytest.fixture
def moved(vectors: Callable[..., np.ndarray]) -> np.ndarray:
    return vectors(6, 4, seed=1)


NAMES = ["3", "no", "7", "99", "11", "0"]
"""Two of them are not there."""


def _push(place: str, moved: np.ndarray, **said: Any) -> tuple[bool, list[str]]:
    target = Target("v2", moved.shape[1], said.pop("vector", "holdfast_v2"), **said)
    with open_writer(place, target) as writer:
        missing = [*writer.write(NAMES[:4], moved[:4]), *writer.write(NAMES[4:], moved[4:])]
        writer.finish()
        return writer.is_new, sorted(missing)


def _found(place: str, **said: Any) -> dict[str, np.ndarray]:
    """The vectors that are there now, of the rows that have one."""
    layout = Layout(**said)
    with open_reader(place, layout) as reader:
        roles = roles_of(reader, layout)
        found: dict[str, np.ndarray] = {}
        for portion in reader.portions(roles, None, 1000):
            names, vectors = (portion.columns[name].to_pylist() for name in (roles.id, roles.vector))
            pairs = zip(map(str, names), vectors, strict=True)
            found |= {name: np.array(vector, np.float32) for name, vector in pairs if vector is not None}
    return found


def _check(found: dict[str, np.ndarray], moved: np.ndarray, tolerance: float = 1e-6) -> None:
    there = {name: moved[row] for row, name in enumerate(NAMES) if name not in ("no", "99")}
    assert found.keys() == there.keys()
    assert all(np.allclose(found[name], there[name], atol=tolerance) for name in there)


@pytest.mark.parametrize("kind", ["lance", "milvus", "postgres", "qdrant"])
def test_vectors_go_beside_those_that_are_there(
    tmp_path: Path, rows: np.ndarray, moved: np.ndarray, kind: str, request: pytest.FixtureRequest
) -> None:
    said: dict[str, Any] = {}
    read: dict[str, Any] = {"vector": "holdfast_v2"}
    if kind == "postgres":
        place = request.getfixturevalue("pgvector")
        fill_postgres(place, "pushed", rows)
        said, read = {"table": "pushed", "id": "key"}, read | {"table": "pushed"}
        before = _found(place, table="pushed", vector="emb")
    elif kind == "qdrant":
        place = fill_qdrant(tmp_path / "q", "photos", rows)
        before = _found(place, vector="clip")
    elif kind == "lance":
        place = fill_lance(tmp_path / "l", "photos", rows)
        before = _found(place, vector="vector")
    else:
        place = fill_milvus(tmp_path / "m.db", "photos", rows, "second")
        before = _found(place, vector="emb")
        moved = np.hstack([moved, moved]) / np.sqrt(2)
        said = read = {"vector": "second"}
    is_new, missing = _push(place, moved, **said)
    assert (is_new, missing) == (kind != "milvus", ["99", "no"])
    again, missing = _push(place, moved, **said)
    assert (again, missing) == (False, ["99", "no"])
    found = _found(place, **read)
    _check(found if kind != "milvus" else {name: found[name] for name in ("3", "7", "11", "0")}, moved)
    other = {"postgres": "emb", "qdrant": "clip", "lance": "vector", "milvus": "emb"}[kind]
    after = _found(place, **read | {"vector": other})
    assert all(np.array_equal(after[name], before[name]) for name in before)
    with pytest.raises(DataError, match=r"dimensions|need vector\(4\)|--vector"):
        _push(place, moved[:, :3], **said)


def test_a_place_that_cannot_hold_them_is_a_sentence(
    tmp_path: Path,
    rows: np.ndarray,
    moved: np.ndarray,
    pgvector: str,  # noqa: F811
) -> None:
    run_sql(pgvector, "CREATE TABLE odd (name text)")
    for place, said, message in (
        (pgvector, {"table": "nothing"}, "There is no table nothing in postgresql://"),
        (pgvector, {"table": "odd"}, "The table odd has no column id: say with --id .* It has name"),
        (pgvector, {"table": "odd", "id": "x"}, "has no column 'x'"),
        (pgvector, {}, "Say with --table"),
        ("x.csv", {}, "cannot be pushed to x.csv: name a .parquet"),
        (f"{tmp_path}/no/x.parquet", {}, "cannot be written"),
        (fill_lance(tmp_path / "l", "a", rows), {"id": "x"}, "has no column 'x'"),
        (fill_lance(tmp_path / "l", "b", rows), {"table": "x"}, "--table is for PostgreSQL"),
        (fill_milvus(tmp_path / "m.db", "a", rows), {}, "This Milvus cannot add a field of vectors"),
    ):
        with pytest.raises(DataError, match=message):
            _push(place, moved, **said)


@pytest.mark.parametrize("kind", ["parquet", "npy"])
def test_a_file_is_whole_or_not_there(tmp_path: Path, moved: np.ndarray, kind: str) -> None:
    file = tmp_path / f"x.{kind}"
    with suppress(KeyboardInterrupt), open_writer(str(file), Target("v2", 4, "new")) as writer:
        writer.write(NAMES, moved)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    assert _push(str(file), moved, vector="new") == (True, [])
    said = {} if kind == "parquet" else {"ids": tmp_path / "x.ids.parquet"}
    found = _found(str(file), id="id", **said)
    assert list(found) == NAMES
    assert np.array_equal(np.stack(list(found.values())), moved)
    table = pq.read_table(file if kind == "parquet" else tmp_path / "x.ids.parquet")
    assert set(table.column("version").to_pylist()) == {"v2"}
