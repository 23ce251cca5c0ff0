from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from holdfast.base import DataError
from holdfast.entries.readers import Layout, assign_roles, open_reader

Read = Callable[..., dict[str, Any]]
Same = Callable[..., bool]


def _table(rows: np.ndarray, first: int = 0) -> pa.Table:
    lists = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    numbers = list(range(first, first + len(rows)))
    return pa.table({"key": numbers, "emb": lists, "file": [f"{n}.jpg" for n in numbers]})


@pytest.mark.parametrize("kind", ["parquet", "arrow", "feather"])
def test_a_folder_is_one_table(
    tmp_path: Path, vectors: Callable[..., np.ndarray], read: Read, same: Same, kind: str
) -> None:
    rows = vectors(50)
    for part in range(2):
        table, file = _table(rows[25 * part : 25 * part + 25], 25 * part), tmp_path / f"part-{part}.{kind}"
        if kind == "parquet":
            # Row groups and portions that do not fit each other.
            pq.write_table(table, file, row_group_size=9)
        elif kind == "feather":
            feather.write_feather(table, file)
        else:
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table, max_chunksize=9)
    (tmp_path / "README.md").write_text("")
    found = read(tmp_path, id="key")
    assert same(found, {str(n): rows[n] for n in range(50)})
    assert found["3"][1] == "3.jpg"
    with open_reader(str(tmp_path), Layout()) as reader:
        assert reader.notes == ("Files left out: README.md (1).",)


def test_columns_are_found_by_their_names_and_types() -> None:
    lists = pa.list_(pa.float32(), 8)
    fields = {
        "sample_id": pa.string(),
        "clip": lists,
        "source": pa.string(),
        "n": pa.int64(),
        "at": pa.date32(),
    }
    roles = assign_roles("it", fields, Layout())
    assert (roles.id, roles.vector, roles.source) == ("sample_id", "clip", ("", "source", ""))
    assert (roles.attributes, list(roles.left_out)) == (("n",), ["at"])
    roles = assign_roles("it", fields, Layout(source="/photos/{n}/{source}.jpg", attributes=()))
    assert roles.source == ("/photos/", "n", "/", "source", ".jpg")
    assert roles.left_out == {"source": "not asked for", "n": "not asked for", "at": roles.left_out["at"]}


@pytest.mark.parametrize(
    ("fields", "said", "message"),
    [
        (["a"], {}, "no column id: say with --id"),
        (["id"], {}, "no column vector: say with --vector"),
        (["id", "+a", "+b"], {}, r"several columns of vectors .*--vector"),
        (["id", "vector"], {"id": "key"}, "no column 'key' for the ids: it has id, vector"),
        (["id", "vector"], {"vector": "emb"}, "no column 'emb' for the vectors"),
        (["id", "vector"], {"source": "{file}.jpg"}, "no column 'file' for the source"),
        (["id", "vector"], {"attributes": ["x"]}, "no column 'x' for an attribute"),
        (["id", "vector", "+x"], {"attributes": ["x"]}, r"'x' of it can be no attribute \(list"),
    ],
)
def test_a_column_that_is_not_there_is_named(fields: list[str], said: dict[str, Any], message: str) -> None:
    kinds = {name.lstrip("+"): pa.list_(pa.float32()) if "+" in name else pa.string() for name in fields}
    with pytest.raises(DataError, match=message):
        assign_roles("it", kinds, Layout(**said))


def test_what_is_no_table_is_a_sentence(tmp_path: Path, vectors: Callable[..., np.ndarray]) -> None:
    for name, content in (
        ("text.parquet", b"hello"),
        ("empty.arrow", b""),
        ("cut.feather", b"ARROW1 nothing"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"{name} is (no Parquet, Arrow or Feather file|damaged)"):
            open_reader(str(tmp_path / name), Layout())
    with pytest.raises(DataError, match=r"There is no .*missing"):
        open_reader(str(tmp_path / "missing.parquet"), Layout())
    with pytest.raises(DataError, match=r"There is no photos: name a Parquet, Arrow .*milvus:"):
        open_reader("photos", Layout())
    (tmp_path / "a.bin").write_bytes(b"")
    with pytest.raises(DataError, match=r"write parquet:, arrow:, npy: or faiss: in front"):
        open_reader(str(tmp_path / "a.bin"), Layout())
    with pytest.raises(DataError, match=r"--table and --query are for PostgreSQL"):
        open_reader(str(tmp_path), Layout(table="x"))
    folder = tmp_path / "parts"
    folder.mkdir()
    with pytest.raises(DataError, match=r"holds no Parquet, Arrow or Feather file"):
        open_reader(str(folder), Layout())
    pq.write_table(_table(vectors(2)), folder / "a.parquet")
    pq.write_table(_table(vectors(2)).drop_columns("file"), folder / "b.parquet")
    with pytest.raises(DataError, match=r"b.parquet has another column 'file' than a.parquet"):
        open_reader(str(folder), Layout())
