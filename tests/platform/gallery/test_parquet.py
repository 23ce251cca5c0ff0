import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.errors import DataError, HoldfastError, InvalidVectorError, NotFoundError
from holdfast.gallery import Entries, Entry, InvalidEntryError
from holdfast.store import Store


def _state(entries: Entries) -> dict[str, tuple[object, ...]]:
    return {
        entry.id: (entry.version, entry.vector.tobytes(), entry.attributes, entry.source)
        for chunk in entries.scan()
        for entry in chunk
    }


@pytest.mark.parametrize("mixed", [False, True])
def test_what_is_exported_is_what_is_imported(
    store: Store, entry: Callable[..., Entry], tmp_path: Path, mixed: bool
) -> None:
    if not mixed:
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM versions WHERE name = 'v4'")
    entries = Entries(store)
    batch = [entry(f"é{n}", f"v{n % 3 + 1}", seed=n, n=n, ok=n % 2 == 0, name=f"ü{n}") for n in range(50)]
    batch[3] = replace(batch[3], source="s3://bucket/3.png", attributes={})
    if mixed:
        batch.append(entry("wide", "v4"))
    entries.upsert(batch)
    entries.delete(["é7"])
    before = _state(entries)
    assert entries.export_parquet(tmp_path / "out.parquet") == len(batch) - 1
    kind = pq.read_schema(tmp_path / "out.parquet").field("vector").type
    assert kind == (pa.list_(pa.float32()) if mixed else pa.list_(pa.float32(), 8))
    entries.delete([item.id for item in batch])
    assert _state(entries) == {}
    assert entries.import_parquet(tmp_path / "out.parquet") == len(batch) - 1
    assert _state(entries) == before
    assert [path.name for path in tmp_path.glob("*out*")] == ["out.parquet"]


def test_an_empty_gallery_can_be_exported(store: Store, tmp_path: Path) -> None:
    entries = Entries(store)
    assert entries.export_parquet(tmp_path / "out.parquet") == 0
    assert entries.import_parquet(tmp_path / "out.parquet") == 0


@pytest.mark.parametrize(
    "kind", ["fixed list", "list", "large list", "doubles", "halves", "fixed binary", "binary"]
)
def test_vectors_may_have_any_sensible_type(
    store: Store, vectors: Callable[..., np.ndarray], tmp_path: Path, kind: str
) -> None:
    rows = vectors(20)
    flat = pa.array(rows.ravel())
    column = {
        "fixed list": lambda: pa.FixedSizeListArray.from_arrays(flat, 8),
        "list": lambda: pa.array(list(rows), pa.list_(pa.float32())),
        "large list": lambda: pa.array(list(rows), pa.large_list(pa.float32())),
        "doubles": lambda: pa.array(list(rows.astype(float)), pa.list_(pa.float64())),
        "halves": lambda: pa.array(list(rows.astype(np.float16)), pa.list_(pa.float16())),
        "fixed binary": lambda: pa.array([row.tobytes() for row in rows], pa.binary(32)),
        "binary": lambda: pa.array([row.tobytes() for row in rows], pa.binary()),
    }[kind]()
    table = pa.table({"id": [f"e{n}" for n in range(20)], "version": ["v1"] * 20, "vector": column})
    # Row groups that do not fit the batches: slices must not shift the vectors.
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=7)
    entries = Entries(store)
    assert entries.import_parquet(tmp_path / "in.parquet") == 20
    for n in range(20):
        assert np.allclose(entries.get(f"e{n}").vector, rows[n], atol=1e-3 if kind == "halves" else 0)


def test_what_embed_writes_can_be_imported(
    store: Store, vectors: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    rows = vectors(3)
    table = pa.table(
        {
            "sample_id": ["a", "b", "c"],
            "label": ["cat", None, "dog"],
            "version": ["v1"] * 3,
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 8),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    entries = Entries(store)
    assert entries.import_parquet(tmp_path / "in.parquet") == 3
    assert [entries.get(name).attributes for name in "abc"] == [{"label": "cat"}, {}, {"label": "dog"}]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"id": None}, DataError, r"no column sample_id: .*It has version, vector"),
        ({"version": None, "vector": None}, DataError, "no column version and no column vector"),
        ({"version": ["v1", "v9"]}, NotFoundError, "v9"),
        ({"id": ["a", None]}, InvalidEntryError, "None is not a string"),
        ({"vector": [[1.0] + [0.0] * 7, None]}, DataError, "1 entries without a vector"),
        ({"vector": [[1.0] + [0.0] * 7, [1.0] * 8]}, InvalidVectorError, "'b' has norm"),
        ({"vector": [[1.0] + [0.0] * 7, [1.0]]}, InvalidVectorError, "'b' has shape"),
        ({"vector": [[1.0] + [0.0] * 7, [None] * 8]}, DataError, "missing numbers"),
        ({"vector": ["x", "y"]}, DataError, "vectors of type string"),
        ({"vector": [b"123", b"1234"]}, DataError, "no float32"),
        ({"attributes": ["{}", "{"]}, DataError, "attributes that are no JSON: '{'"),
        ({"attributes": ["{}", "[1]"]}, InvalidEntryError, "'b' are not an object"),
    ],
)
def test_a_bad_file_is_refused_and_nothing_is_imported(
    store: Store, tmp_path: Path, change: dict[str, object], error: type[HoldfastError], message: str
) -> None:
    columns = {"id": ["a", "b"], "version": ["v1", "v1"], "vector": [[1.0] + [0.0] * 7] * 2} | change
    table = pa.table({name: values for name, values in columns.items() if values is not None})
    pq.write_table(table, tmp_path / "in.parquet")
    entries = Entries(store)
    with pytest.raises(error, match=message):
        entries.import_parquet(tmp_path / "in.parquet")
    assert entries.last_seq() == 0


def test_no_file_and_no_parquet_are_one_sentence(
    store: Store, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    entries = Entries(store)
    entries.upsert([entry("a")])
    with pytest.raises(DataError, match="There is no file"):
        entries.import_parquet(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text(json.dumps(["not parquet"]))
    with pytest.raises(DataError, match="is no Parquet file"):
        entries.import_parquet(tmp_path / "text.parquet")
    with pytest.raises(DataError, match="cannot be written"):
        entries.export_parquet(tmp_path / "no" / "such" / "folder.parquet")
