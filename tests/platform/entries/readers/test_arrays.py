from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from holdfast.base import DataError
from holdfast.entries.readers import Layout, open_reader

Read = Callable[..., dict[str, Any]]


@pytest.fixture
def rows(tmp_path: Path, vectors: Callable[..., np.ndarray]) -> np.ndarray:
    drawn = vectors(20)
    np.save(tmp_path / "x.npy", drawn)
    return drawn


@pytest.mark.parametrize("kind", ["numbers.npy", "strings.npy", "ids.txt", "ids.csv", "ids.parquet"])
def test_ids_come_from_a_file_beside_it(
    tmp_path: Path, rows: np.ndarray, read: Read, same: Callable[..., bool], kind: str
) -> None:
    names, file = [str(100 - n) for n in range(20)], tmp_path / kind
    said: dict[str, Any] = {"ids": file}
    if kind == "ids.txt":
        file.write_text("\n".join(names))
    elif kind.endswith(".npy"):
        np.save(file, np.array(names) if kind == "strings.npy" else np.array(names).astype(int))
    else:
        table = pa.table({"name": names, "label": ["cat", "dog"] * 10})
        pq.write_table(table, file) if kind == "ids.parquet" else csv.write_csv(table, file)
        said["id"] = "name"
    found = read(tmp_path / "x.npy", **said)
    assert same(found, dict(zip(names, rows, strict=True)))
    assert found["99"][1:] == (["dog"] if "id" in said else [])


def test_numbers_of_rows_are_ids_only_if_the_user_says_so(
    tmp_path: Path, rows: np.ndarray, read: Read
) -> None:
    assert list(read(tmp_path / "x.npy", row_numbers=True)) == [str(n) for n in range(20)]
    with pytest.raises(DataError, match=r"has no ids: name a file of them with --ids .*--row-numbers"):
        open_reader(str(tmp_path / "x.npy"), Layout())


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_other_floats_are_read_as_float32(
    tmp_path: Path, vectors: Callable[..., np.ndarray], read: Read, kind: type
) -> None:
    np.save(tmp_path / "x.npy", vectors(5).astype(kind))
    assert np.allclose(read(tmp_path / "x.npy", row_numbers=True)["2"][0], vectors(5)[2], atol=1e-3)


def test_what_fits_not_is_a_sentence(tmp_path: Path, rows: np.ndarray) -> None:
    for name, array, message in (
        ("one", np.zeros(5), r"holds \(5,\) of float64: vectors are an array"),
        ("int", np.zeros((5, 8), int), "of int64: vectors are an array"),
        ("objects", np.array([[{}]]), "no .npy file of numbers"),
    ):
        np.save(tmp_path / f"{name}.npy", array)
        with pytest.raises(DataError, match=message):
            open_reader(str(tmp_path / f"{name}.npy"), Layout(row_numbers=True))
    (tmp_path / "ids.txt").write_text("a\nb")
    with pytest.raises(DataError, match=r"ids.txt has 2 rows, and .*x.npy has 20 vectors"):
        open_reader(str(tmp_path / "x.npy"), Layout(ids=tmp_path / "ids.txt"))
    with pytest.raises(DataError, match=r"leave one of them out"):
        open_reader(str(tmp_path / "x.npy"), Layout(ids=tmp_path / "ids.txt", row_numbers=True))
    np.save(tmp_path / "floats.npy", np.zeros(20))
    with pytest.raises(DataError, match=r"ids are a row of strings or integers"):
        open_reader(str(tmp_path / "x.npy"), Layout(ids=tmp_path / "floats.npy"))
    (tmp_path / "ids.json").write_text("[]")
    with pytest.raises(DataError, match=r"name a .txt, .npy, .parquet, .arrow or .csv file"):
        open_reader(str(tmp_path / "x.npy"), Layout(ids=tmp_path / "ids.json"))
