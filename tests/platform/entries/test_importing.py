import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from holdfast.base import DataError, HoldfastError, NotFoundError
from holdfast.entries import Entries, Entry, ForeignImport, Layout, import_from, open_reader
from holdfast.entries.readers import roles_of
from holdfast.store import Store, metadata, reading

sqlite = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
Vectors = Callable[..., np.ndarray]
imports = metadata.tables["imports"]


def _bring(store: Store, origin: object, version: str = "v1", **options: Any) -> ForeignImport:
    said = {name: options.pop(name) for name in list(options) if name in Layout.__dataclass_fields__}
    layout = Layout(**said)
    with open_reader(str(origin), layout) as reader:
        return import_from(Entries(store), reader, layout, version, **options)


def _state(store: Store) -> dict[str, tuple[Any, ...]]:
    return {
        entry.id: (entry.version, entry.vector.tobytes(), entry.attributes, entry.source)
        for chunk in Entries(store).scan()
        for entry in chunk
    }


def _left(store: Store) -> int:
    with reading(store.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(imports)).scalar_one())


def _write(file: Path, rows: Any, **columns: Any) -> Path:
    lists = pa.array([None if row is None else list(map(float, row)) for row in rows], pa.list_(pa.float32()))
    pq.write_table(pa.table({"id": list(range(len(rows))), "vector": lists} | columns), file)
    return file


def test_a_table_becomes_entries_and_again_nothing_changes(
    store: Store, vectors: Vectors, tmp_path: Path
) -> None:
    rows = vectors(40)
    file = _write(
        tmp_path / "x.parquet", rows, label=["cat", None] * 20, path=[f"{n}.jpg" for n in range(40)]
    )
    done = _bring(store, file, source="/photos/{label}/{path}")
    assert (done.new, done.replaced, done.unchanged, done.rows) == (40, 0, 0, 40)
    entry = Entries(store).get("2")
    assert (entry.version, entry.source) == ("v1", "/photos/cat/2.jpg")
    assert entry.attributes == {"label": "cat", "path": "2.jpg"}
    assert entry.vector.tobytes() == rows[2].tobytes()
    assert Entries(store).get("3").source is None
    last = Entries(store).last_seq()
    again = _bring(store, file, source="/photos/{label}/{path}")
    assert (again.new, again.replaced, again.unchanged) == (0, 0, 40)
    assert Entries(store).last_seq() == last
    Entries(store).upsert([Entry("5", "v2", rows[5]), Entry("6", "v1", rows[7])])
    third = _bring(store, file, source="/photos/{label}/{path}")
    assert (third.new, third.replaced, third.unchanged) == (0, 2, 38)
    assert third.replaced_versions == {"v1": 1, "v2": 1}
    assert _left(store) == 0


def test_rows_that_can_be_no_entries_are_counted_and_named(
    store: Store, vectors: Vectors, tmp_path: Path
) -> None:
    rows: list[Any] = list(vectors(12))
    rows[1], rows[2], rows[3], rows[4] = None, [0.0] * 8, [float("nan")] * 8, rows[4][:5]
    rows[5] = 3 * rows[5]
    names = [f"e{n}" for n in range(12)]
    names[6], names[7], names[8] = None, "..", "x" * 600  # type: ignore[call-overload]
    texts = ["{}"] * 12
    texts[9], texts[10] = json.dumps({"long": "x" * 20_000}), "{"
    file = _write(tmp_path / "x.parquet", rows, name=names, attributes=texts)
    done = _bring(store, file, id="name", attributes=["attributes"])
    assert done.refused == {
        "no vector": 1,
        "a vector of zeros": 1,
        "a vector with NaN or infinity": 1,
        "a vector of another dimension": 1,
        "a vector whose norm is not 1": 1,
        "no id": 1,
        "an id that is '.' or '..', holds NUL, or is not of 1 to 512 bytes": 2,
        "attributes or a source that cannot be stored": 2,
    }
    assert (done.new, done.rows, sorted(_state(store))) == (2, 12, ["e0", "e11"])
    assert done.refused_ids["no id"] == ["row 7"]
    assert done.refused_ids["attributes or a source that cannot be stored"] == ["e9", "e10"]
    said = "\n".join(done.remarks())
    assert "Refused, a vector of zeros: 1 ('e2')." in said
    assert "are over 16384 bytes" in said
    scaled = _bring(store, file, id="name", attributes=["attributes"], normalize=True)
    assert (scaled.new, scaled.unchanged, scaled.scaled) == (1, 2, 1)
    assert np.allclose(Entries(store).get("e5").vector, vectors(12)[5], atol=1e-6)


def test_ids_that_repeat_are_named_and_nothing_is_imported(
    store: Store, vectors: Vectors, tmp_path: Path
) -> None:
    file = _write(tmp_path / "x.parquet", vectors(6), name=["a", "b", "a", "c", "b", "a"])
    with pytest.raises(DataError, match=r"2 ids come more than once .* \('a', 'b'\).*nothing was imported"):
        _bring(store, file, id="name")
    assert _state(store) == {}


@sqlite
def test_vectors_of_another_model_are_refused_as_a_whole(
    store: Store, vectors: Vectors, tmp_path: Path
) -> None:
    sentence = r"have 8 dimensions, those of v4 have 16: .*Nothing was imported"
    with pytest.raises(DataError, match=sentence):
        _bring(store, _write(tmp_path / "x.parquet", vectors(6)), "v4")
    np.save(tmp_path / "x.npy", vectors(6))
    with pytest.raises(DataError, match=sentence):
        _bring(store, tmp_path / "x.npy", "v4", row_numbers=True)
    with pytest.raises(NotFoundError, match="There is no version 'v9'"):
        _bring(store, tmp_path / "x.npy", "v9", row_numbers=True)
    assert (_state(store), _left(store)) == ({}, 0)


def test_an_import_goes_on_where_it_was_stopped(
    store: Store, vectors: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.entries.importing._ROWS", 10)
    rows: list[Any] = list(vectors(35))
    rows[3] = [0.0] * 8
    file = _write(tmp_path / "x.parquet", rows)
    writes = 0

    def fence(connection: Connection) -> None:
        nonlocal writes
        writes += 1
        if writes == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _bring(store, file, fence=fence)
    assert (len(_state(store)), _left(store)) == (19, 1)
    seen: list[tuple[str, int, int]] = []
    done = _bring(store, file, progress=lambda *told: seen.append(told))
    assert seen[-2:] == [("writing", 30, 35), ("writing", 35, 35)]
    assert (done.new, done.rows, done.resumed_at, done.refused["a vector of zeros"]) == (34, 35, 20, 1)
    assert "Went on behind row 20" in next(done.remarks())
    assert (len(_state(store)), _left(store)) == (34, 0)
    writes = 0
    with pytest.raises(KeyboardInterrupt):
        _bring(store, file, fence=fence)
    fresh = _bring(store, file, fresh=True)
    assert (fresh.resumed_at, fresh.unchanged) == (0, 34)
    writes = 0
    with pytest.raises(KeyboardInterrupt):
        _bring(store, file, fence=fence)
    # Another content is another import.
    done = _bring(store, _write(file, list(vectors(35, seed=1))))
    assert (done.resumed_at, done.new, done.replaced) == (0, 1, 34)


_texts = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


@settings(max_examples=30)
@given(
    names=st.lists(
        st.text(
            st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=9
        ).filter(lambda name: name not in (".", "..")),
        min_size=1,
        max_size=12,
        unique=True,
    ),
    labels=st.lists(st.none() | st.text(_texts, max_size=5), min_size=12, max_size=12),
    rows=st.integers(1, 5),
)
def test_what_was_exported_comes_back_through_any_file(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], labels: list[str | None], rows: int
) -> None:
    """The same rows as Parquet, Feather and an array beside a table."""
    folder = tmp_path_factory.mktemp("property")
    drawn = np.random.default_rng(len(names)).normal(size=(len(names), 4)).astype(np.float32)
    beside = pa.table({"id": pa.array(names), "label": pa.array(labels[: len(names)], pa.string())})
    lists = pa.FixedSizeListArray.from_arrays(pa.array(drawn.ravel()), 4)
    whole = beside.append_column("vector", lists)
    pq.write_table(whole, folder / "x.parquet", row_group_size=rows)
    feather.write_feather(whole, folder / "x.feather", chunksize=rows)
    np.save(folder / "x.npy", drawn)
    pq.write_table(beside, folder / "ids.parquet")
    for origin, layout in (
        ("x.parquet", Layout()),
        ("x.feather", Layout()),
        ("x.npy", Layout(id="id", ids=folder / "ids.parquet")),
    ):
        with open_reader(str(folder / origin), layout) as reader:
            roles = roles_of(reader, layout)
            portions = list(reader.portions(roles, None, rows + 1))
            tables = [pa.table(dict(portion.columns)) for portion in portions]
            found = pa.concat_tables(tables).select(["id", "label", "vector"])
        assert found.to_pylist() == whole.to_pylist()


@pytest.mark.parametrize("said", [{"ids": Path("x")}, {"row_numbers": True}, {"table": "x"}, {"query": "x"}])
@sqlite
def test_an_option_that_means_nothing_there_is_a_mistake(
    store: Store, vectors: Vectors, tmp_path: Path, said: dict[str, Any]
) -> None:
    with pytest.raises(HoldfastError, match="are for"):
        _bring(store, _write(tmp_path / "x.parquet", vectors(2)), **said)
