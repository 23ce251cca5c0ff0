import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import hypothesis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from holdfast.base import DataError, HoldfastError, InvalidVectorError, NotFoundError
from holdfast.entries import Entries, Entry, InvalidEntryError, LeaseLostError, NewVector, Replace
from holdfast.entries.entry import DOTS
from holdfast.store import Store

# Which database makes no difference to what is read.
sqlite = pytest.mark.parametrize("place", ["sqlite"], indirect=True)

UNIT = [1.0] + [0.0] * 7


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
    assert kind == (pa.binary() if mixed else pa.binary(32))
    entries.delete([item.id for item in batch])
    assert _state(entries) == {}
    assert entries.import_parquet(tmp_path / "out.parquet").entries == len(batch) - 1
    assert _state(entries) == before
    assert [path.name for path in tmp_path.glob("*out*")] == ["out.parquet"]


def test_an_empty_gallery_can_be_exported(store: Store, tmp_path: Path) -> None:
    entries = Entries(store)
    assert entries.export_parquet(tmp_path / "out.parquet") == 0
    assert entries.import_parquet(tmp_path / "out.parquet").entries == 0


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
    assert entries.import_parquet(tmp_path / "in.parquet").entries == 20
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
    assert entries.import_parquet(tmp_path / "in.parquet").entries == 3
    assert [entries.get(name).attributes for name in "abc"] == [{"label": "cat"}, {}, {"label": "dog"}]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"id": None}, DataError, r"no column sample_id: .*It has version, vector"),
        ({"version": None, "vector": None}, DataError, "no column version and no column vector"),
        ({"version": ["v1", "v9"]}, NotFoundError, r"Row 2 of .*: There is no version 'v9'"),
        ({"version": ["v1", None]}, InvalidEntryError, "Row 2 of .*: it has no version"),
        ({"version": [1, 2]}, DataError, "a column version of type int64"),
        ({"id": ["a", None]}, InvalidEntryError, "Row 2 of .*: it has no id"),
        ({"id": ["a", ""]}, InvalidEntryError, r"Row 2 of .* has 0 bytes: 1 to 512"),
        ({"id": ["a", "ä" * 257]}, InvalidEntryError, r"Row 2 of .* has 514 bytes: 1 to 512"),
        ({"id": ["a", "b\0"]}, InvalidEntryError, "Row 2 of .* holds a NUL"),
        ({"id": [1, 2]}, DataError, "a column id of type int64: strings are allowed"),
        ({"vector": [UNIT, None]}, DataError, "Row 2 of .*: the vector of 'b' is missing"),
        ({"vector": [UNIT, [1.0] * 8]}, InvalidVectorError, "Row 2 of .*'b' has norm"),
        ({"vector": [UNIT, [float("inf")] * 8]}, InvalidVectorError, "Row 2 of .*'b' holds NaN or infinity"),
        ({"vector": [UNIT, [1.0]]}, InvalidVectorError, r"Row 2 of .*'b' has shape \(1,\): v1 makes \(8,\)"),
        ({"vector": [UNIT, []]}, InvalidVectorError, r"'b' has shape \(0,\)"),
        ({"version": ["v1", "v4"]}, InvalidVectorError, r"'b' has shape \(8,\): v4 makes \(16,\)"),
        ({"vector": [UNIT, [None] * 8]}, DataError, "Row 2 of .*: the vector of 'b' lacks numbers"),
        ({"vector": ["x", "y"]}, DataError, "vectors of type string"),
        ({"vector": [b"1234", b"123"]}, DataError, "Row 2 of .*'b' has bytes that are no float32"),
        ({"attributes": ["{}", "{"]}, DataError, "Row 2 of .*: its attributes are no JSON: '{'"),
        ({"attributes": ["{}", "[1]"]}, InvalidEntryError, "Row 2 of .*'b' are not an object"),
        (
            {"attributes": ['{"x": 1}', '{"x": [[1]]}']},
            InvalidEntryError,
            r"Row 2 of .*'x' of 'b' is \[\[1\]\]",
        ),
        ({"attributes": ['{"x": 1}', '{"x": Infinity}']}, InvalidEntryError, "Row 2 of .*'x' of 'b' is inf"),
        ({"attributes": ["{}", '{"x": 1, "x": 2}']}, DataError, "Row 2 of .* have the key 'x' twice"),
        (
            {"attributes": [{"x": 1.0}, {"x": float("inf")}]},
            InvalidEntryError,
            "Row 2 of .*'x' of 'b' is inf",
        ),
        ({"price": [1.0, float("inf")]}, InvalidEntryError, "Row 2 of .*'price' of 'b' is inf"),
        ({"number": [1, 2**53 + 1]}, InvalidEntryError, "Row 2 of .*'number' of 'b' is 9007199254740993"),
        ({"attributes": [1, 2]}, DataError, "Row 1 of .* are no object of keys and values: '1'"),
        ({"source": ["x", "\0"]}, InvalidEntryError, "Row 2 of .*source of 'b'"),
        ({"source": [1, 2]}, DataError, "a column source of type int64"),
        (
            {"mapped_from": ["v2", None]},
            InvalidEntryError,
            "Row 1 of .* only one of mapped_from and mapped_by",
        ),
        (
            {"mapped_from": [None, "v9"], "mapped_by": [None, "x"]},
            NotFoundError,
            "Row 2 of .* no version 'v9'",
        ),
        (
            {"mapped_from": ["v2", "v2"], "mapped_by": ["x", "x" * 65]},
            InvalidEntryError,
            "Row 2 of .* 64 bytes",
        ),
    ],
)
def test_a_bad_file_is_refused_and_nothing_is_imported(
    store: Store, tmp_path: Path, change: dict[str, object], error: type[HoldfastError], message: str
) -> None:
    columns = {"id": ["a", "b"], "version": ["v1", "v1"], "vector": [UNIT] * 2} | change
    table = pa.table({name: values for name, values in columns.items() if values is not None})
    pq.write_table(table, tmp_path / "in.parquet")
    entries = Entries(store)
    with pytest.raises(error, match=message):
        entries.import_parquet(tmp_path / "in.parquet")
    assert entries.last_seq() == 0


def test_a_bad_row_at_the_end_of_many_is_found_before_anything_is_written(
    store: Store, vectors: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    rows = vectors(25_000)
    rows[-1] *= 2
    table = _table(rows)
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=3_000)
    entries = Entries(store)
    with pytest.raises(InvalidVectorError, match=r"Row 25,000 of .* 'e24999' has norm 2"):
        entries.import_parquet(tmp_path / "in.parquet")
    assert entries.last_seq() == 0


def _table(rows: np.ndarray, version: str = "v1") -> pa.Table:
    blobs = pa.array([row.tobytes() for row in rows], pa.binary(4 * rows.shape[1]))
    ids = [f"e{number}" for number in range(len(rows))]
    return pa.table({"id": ids, "version": [version] * len(rows), "vector": blobs})


def test_an_import_tells_how_far_it_is(
    store: Store, vectors: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    pq.write_table(_table(vectors(25_000)), tmp_path / "in.parquet")
    seen: list[tuple[str, int, int]] = []
    Entries(store).import_parquet(tmp_path / "in.parquet", progress=lambda *told: seen.append(told))
    done = [10_000, 20_000, 25_000]
    assert seen == [(phase, number, 25_000) for phase in ("checking", "writing") for number in done]


def test_a_fence_guards_every_transaction_of_an_import(
    store: Store, vectors: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    pq.write_table(_table(vectors(25_000)), tmp_path / "in.parquet")
    passed = 0

    def fence(connection: Connection) -> None:
        nonlocal passed
        assert connection.in_transaction()
        if passed == 2:
            raise LeaseLostError("Another writer has taken this store over.")
        passed += 1

    with pytest.raises(LeaseLostError):
        Entries(store).import_parquet(tmp_path / "in.parquet", fence=fence)
    assert Entries(store).last_seq() == 20_000


def test_an_id_that_comes_twice_keeps_its_last_row(
    store: Store, vectors: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    rows = vectors(3_000)
    names = pa.array([f"e{number % 1_000}" for number in range(3_000)])
    pq.write_table(_table(rows).set_column(0, "id", names), tmp_path / "in.parquet")
    entries = Entries(store)
    done = entries.import_parquet(tmp_path / "in.parquet")
    assert (done.entries, done.rows, done.repeated) == (1_000, 3_000, 2_000)
    assert done.repeated_ids == ("e0", "e1", "e2", "e3", "e4")
    assert "2,000 of 3,000 rows have an id that comes again ('e0', " in " ".join(done.remarks())
    assert entries.count() == {"v1": 1_000}
    for number in (0, 7, 999):
        assert np.array_equal(entries.get(f"e{number}").vector, rows[2_000 + number])
    assert entries.last_seq() == 3_000
    assert entries.verify().ok


@sqlite
def test_an_id_of_two_batches_is_counted_once(
    store: Store, vectors: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    table = _table(vectors(10_010))
    ids = [*table["id"].to_pylist()[:-10], *(f"e{n}" for n in range(10))]
    pq.write_table(table.set_column(0, "id", pa.array(ids)), tmp_path / "in.parquet")
    entries = Entries(store)
    done = entries.import_parquet(tmp_path / "in.parquet")
    assert (done.entries, done.rows, done.repeated) == (10_000, 10_010, 10)
    assert sum(entries.count().values()) == done.entries


def _columns(**columns: object) -> pa.Table:
    return pa.table({"id": ["a", "b"], "version": ["v1", "v1"], "vector": [UNIT] * 2, **columns})


TAKEN = {
    "text": pa.array(["x", "y"], pa.large_string()),
    "view": pa.array(["x", "y"], pa.string_view()),
    "category": pa.array(["x", "y"]).dictionary_encode(),
    "numbered": pa.array([3, 4]).dictionary_encode(),
    "small": pa.array([1, 2], pa.int8()),
    "unsigned": pa.array([1, 2**53], pa.uint64()),
    "half": pa.array([0.5, 1.5], pa.float16()),
    "double": pa.array([0.1, -2.0]),
    "flag": pa.array([True, False]),
    "tags": pa.array([["x", "y"], []]),
    "ranks": pa.array([[1], [2, 3]], pa.large_list(pa.int32())),
}


@sqlite
@pytest.mark.parametrize("name", TAKEN)
def test_a_column_becomes_an_attribute(store: Store, tmp_path: Path, name: str) -> None:
    pq.write_table(_columns(**{name: TAKEN[name]}), tmp_path / "in.parquet")
    entries = Entries(store)
    done = entries.import_parquet(tmp_path / "in.parquet")
    assert (done.attributes, done.left_out) == ((name,), {})
    wanted = TAKEN[name].to_pylist()
    assert [entries.get(identifier).attributes for identifier in "ab"] == [{name: value} for value in wanted]


@sqlite
@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pa.array([1, 2], pa.timestamp("us")), r"timestamp\[us\]: an attribute is a string"),
        (pa.array([1, 2], pa.date32()), "date32"),
        (pa.array([1, 2], pa.decimal128(9, 2)), r"decimal128\(9, 2\)"),
        (pa.array([b"1", b"2"]), "binary"),
        (pa.array([[["x"]], []]), "list"),
        (pa.array([[0.5], []]), "lists of fractions are taken for vectors"),
        (pa.array([[1], [2]], pa.list_(pa.int64(), 1)), "fixed_size_list"),
        (pa.array([{"x": 1}, {"x": 2}]), "struct"),
        (pa.nulls(2), "all of it is null"),
    ],
)
def test_a_column_that_can_be_no_attribute_is_named(
    store: Store, tmp_path: Path, column: pa.Array, why: str
) -> None:
    pq.write_table(_columns(odd=column, plain=["x", "y"]), tmp_path / "in.parquet")
    entries = Entries(store)
    done = entries.import_parquet(tmp_path / "in.parquet")
    assert (done.attributes, list(done.left_out)) == (("plain",), ["odd"])
    assert re.search(rf"Columns left out: odd \(.*{why}", " ".join(done.remarks()))
    assert entries.get("b").attributes == {"plain": "y"}
    with pytest.raises(DataError, match=r"'odd' of .* can be no attribute"):
        entries.import_parquet(tmp_path / "in.parquet", attributes=["odd"])


@sqlite
def test_columns_and_attributes_become_one(store: Store, tmp_path: Path) -> None:
    whole = ['{"label": "cat", "n": 1}', None]
    table = _columns(attributes=whole, label=["dog", "bird"], price=[2.5, None], n=[1, 2])
    pq.write_table(table, tmp_path / "in.parquet")
    entries = Entries(store)
    done = entries.import_parquet(tmp_path / "in.parquet")
    assert entries.get("a").attributes == {"label": "cat", "n": 1, "price": 2.5}
    assert entries.get("b").attributes == {"label": "bird", "n": 2}
    assert (done.overruled, done.null_attributes) == ({"label": 1}, {"price": 1})
    done = entries.import_parquet(tmp_path / "in.parquet", attributes=["price"])
    assert done.left_out == {"label": "not asked for", "n": "not asked for"}
    assert entries.get("b").attributes == {}
    with pytest.raises(DataError, match=r"no column 'cost' for an attribute: it has label, price, n"):
        entries.import_parquet(tmp_path / "in.parquet", attributes=["cost"])


@sqlite
@pytest.mark.parametrize(
    "columns",
    [
        {"x": [1.5, None]},
        {"x": [1.5, float("nan")]},
        {"x": ["s", None]},
        {"x": pa.array(["s", None]).dictionary_encode()},
        {"x": [True, None]},
        {"attributes": ['{"x": 1}', '{"x": null}']},
        {"attributes": ['{"x": 1}', '{"x": NaN}']},
        {"attributes": [{"x": 1.5}, {"x": float("nan")}]},
        {"attributes": [{"x": "s"}, {"x": None}]},
        {"attributes": pa.array([[("x", 1)], [("x", None)]], pa.map_(pa.string(), pa.int64()))},
    ],
)
def test_a_null_attribute_is_none_and_counted(
    store: Store, tmp_path: Path, columns: dict[str, object]
) -> None:
    pq.write_table(_columns(**columns), tmp_path / "in.parquet")
    entries = Entries(store)
    done = entries.import_parquet(tmp_path / "in.parquet")
    assert done.null_attributes == {"x": 1}
    assert list(entries.get("a").attributes) == ["x"]
    assert entries.get("b").attributes == {}


@sqlite
def test_what_pandas_adds_is_named(store: Store, tmp_path: Path) -> None:
    table = _columns(price=[1, 2]).append_column("__index_level_0__", pa.array([7, 9]))
    pq.write_table(table, tmp_path / "in.parquet")
    done = Entries(store).import_parquet(tmp_path / "in.parquet")
    assert "index of a data frame" in done.left_out["__index_level_0__"]


@sqlite
def test_two_columns_of_one_name_are_refused(store: Store, tmp_path: Path) -> None:
    table = _columns(price=[1, 2]).append_column("price", pa.array([3, 4]))
    pq.write_table(table, tmp_path / "in.parquet")
    with pytest.raises(DataError, match="more than one column 'price'"):
        Entries(store).import_parquet(tmp_path / "in.parquet")


@given(data=st.data())
@hypothesis.settings(max_examples=25, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_an_import_writes_what_upserts_of_the_same_entries_would(
    store: Store, vectors: Callable[..., np.ndarray], tmp_path: Path, data: st.DataObject
) -> None:
    names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6)
    values = st.one_of(st.integers(-9, 9), st.booleans(), names, st.floats(-2, 2))
    batch = [
        Entry(name, version, vectors(1, 16 if version == "v4" else 8, seed)[0], attributes, source)
        for name, version, seed, attributes, source in data.draw(
            st.lists(
                st.tuples(
                    names.filter(lambda name: name not in DOTS),
                    st.sampled_from(["v1", "v2", "v4"]),
                    st.integers(0, 99),
                    st.dictionaries(names, values, max_size=3),
                    st.none() | names,
                ),
                max_size=8,
            )
        )
    ]
    entries = Entries(store)
    _clear(entries)
    entries.upsert(batch)
    wanted = _state(entries)
    entries.export_parquet(tmp_path / "out.parquet")
    _clear(entries)
    assert entries.import_parquet(tmp_path / "out.parquet").entries == len(wanted)
    assert _state(entries) == wanted


def _clear(entries: Entries) -> None:
    entries.delete([entry.id for chunk in entries.scan() for entry in chunk])


def test_where_a_mapped_entry_comes_from_survives(
    store: Store, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    entries = Entries(store)
    seq = entries.upsert([entry("a"), entry("b")])
    vector = entry("a", "v2", seed=3).vector.tobytes()
    entries.write([Replace((NewVector("b", seq, "v2", vector, "v1", "digest"),))])
    entries.export_parquet(tmp_path / "out.parquet")
    _clear(entries)
    entries.import_parquet(tmp_path / "out.parquet")
    found = entries.get("b")
    assert (found.version, found.mapped_from, found.mapped_by) == ("v2", "v1", "digest")
    assert entries.get("a").mapped_from is None


def test_a_string_that_is_no_utf8_is_refused(store: Store, tmp_path: Path) -> None:
    ids = pa.Array.from_buffers(pa.string(), 1, [None, *pa.array([b"\xff\xfe"]).buffers()[1:]])
    table = pa.table({"id": ids, "version": ["v1"], "vector": [UNIT]})
    pq.write_table(table, tmp_path / "in.parquet")
    with pytest.raises(DataError, match=r"is damaged: .*UTF8"):
        Entries(store).import_parquet(tmp_path / "in.parquet")


def test_a_truncated_file_is_refused_whole(
    store: Store, vectors: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    pq.write_table(_table(vectors(20_000)), tmp_path / "in.parquet", row_group_size=2_000, compression="none")
    data = bytearray((tmp_path / "in.parquet").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40_000] = bytes(40_000)
    (tmp_path / "in.parquet").write_bytes(data)
    entries = Entries(store)
    with pytest.raises(HoldfastError):
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
