"""Vectors in files, and what of them can be learned from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from holdfast.base import DataError
from holdfast.data import (
    Column,
    DataConfig,
    SplitConfig,
    VectorSource,
    load_evaluation,
    load_images,
    load_training,
    open_any,
    require_disjoint,
)

MakeVectors = Callable[..., Path]
ALL = SplitConfig()
NUMBERS = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
pytestmark = pytest.mark.filterwarnings("ignore:Source")


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True), np.float32)


def lists(vectors: np.ndarray, kind: pa.DataType) -> pa.Array:
    return pa.array(vectors.tolist(), kind)


@pytest.mark.parametrize(
    ("vector", "tolerance"),
    [
        (lists(NUMBERS, pa.list_(pa.float64())), 0),
        (lists(NUMBERS, pa.large_list(pa.float32())), 0),
        (pa.array(list(NUMBERS.astype(np.float16)), pa.list_(pa.float16(), 8)), 1e-3),
        (pa.array([row.tobytes() for row in NUMBERS], pa.binary(32)), 0),
        (pa.array([row.tobytes() for row in NUMBERS], pa.binary()), 0),
        (pa.FixedShapeTensorArray.from_numpy_ndarray(NUMBERS), 0),
    ],
    ids=["double", "large", "half", "fixed bytes", "bytes", "tensor"],
)
@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_every_way_to_write_a_vector(
    make_vectors: MakeVectors, suffix: str, vector: pa.Array, tolerance: float
) -> None:
    path = make_vectors(f"vectors{suffix}", vector=vector)
    loaded = load_images(f"vectors:{path}", ALL, None)
    assert loaded.images.dtype == np.float32
    assert isinstance(loaded.images, np.memmap)
    np.testing.assert_allclose(loaded.images, unit(NUMBERS), atol=tolerance or 1e-7)
    assert loaded.labels.tolist() == [f"class{number // 5}" for number in range(20)]
    assert loaded.sample_ids[6] == "s1_01"


def test_what_has_norm_1_stays_as_it_is(make_vectors: MakeVectors) -> None:
    near = unit(NUMBERS) * np.float32(1.0005)
    loaded = load_images(f"vectors:{make_vectors(vector=list(near))}", ALL, None)
    np.testing.assert_array_equal(loaded.images, near)
    assert loaded.notes == ()


def test_a_folder_and_columns_by_other_names(make_vectors: MakeVectors, tmp_path: Path) -> None:
    columns = {"label": None, "id": None, "split": None}
    for name in ("part=train/b.parquet", "part=test/a.arrow"):
        make_vectors(
            f"many/{name}",
            **columns,
            animal=["cat", "dog"] * 10,
            key=[f"{name} {number}" for number in range(20)],
            family=[number % 3 for number in range(20)],
        )
    query = "label=animal&group=family&split=part&vector=vector"
    source = open_any(f"vectors:{tmp_path}/many?{query}")
    assert isinstance(source, VectorSource)
    listing = source.listing("train")
    assert listing.rows.column("sample_id").to_pylist()[0] == "part=train/b.parquet 0"
    assert listing.rows.column("label").to_pylist()[:2] == ["cat", "dog"]
    assert listing.rows.column("group").to_pylist()[:3] == ["0", "1", "2"]
    assert {"fold", "animal", "family", "key"} <= set(listing.available)
    (block,) = listing.vectors(np.arange(3, 5))
    np.testing.assert_array_equal(block.vectors, NUMBERS[3:5])


def test_an_array_with_its_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", NUMBERS)
    np.save(tmp_path / "labels.npy", np.arange(20) // 5)
    loaded = load_images(
        f"vectors:{tmp_path}/vectors.npy?rows={tmp_path}/labels.npy", SplitConfig(where="label != '2'"), None
    )
    assert loaded.labels.tolist() == [str(number) for number in (0, 1, 3) for _ in range(5)]
    assert loaded.sample_ids.tolist()[9:11] == ["9", "15"]
    np.testing.assert_allclose(loaded.images[10:], unit(NUMBERS[15:]), atol=1e-7)


def test_folds_hang_on_ids_alone(make_vectors: MakeVectors) -> None:
    few, many = make_vectors("few.parquet"), make_vectors("many.parquet", classes=40)
    folds = {}
    for path in (few, many):
        rows = open_any(f"vectors:{path}").listing().rows
        folds[path] = dict(
            zip(*(rows.column(name).to_pylist() for name in ("sample_id", "fold")), strict=True)
        )
    assert folds[few].items() <= folds[many].items()
    assert set(folds[many].values()) == set(range(10))


def test_selections_and_derived_columns(make_vectors: MakeVectors) -> None:
    config = DataConfig.model_validate(
        {
            "source": f"vectors:{make_vectors()}",
            "train": {"where": "number < 3"},
            "evaluate": {"where": "number >= 3", "queries": "number == 4"},
            "columns": {"number": Column(of="sample_id", pattern=r"_(\d+)$").model_dump()},
        }
    )
    training, evaluation = load_training(config, None), load_evaluation(config, None, seed=0)
    assert len(training) == 12
    assert evaluation.queries.sample_ids.tolist() == [f"s{number}_04" for number in range(4)]
    rows = [5 * number + 3 for number in range(4)]
    np.testing.assert_allclose(evaluation.gallery.images, unit(NUMBERS[rows]), atol=1e-7)
    assert isinstance(evaluation.gallery.images, np.memmap)
    assert require_disjoint(config, training, evaluation) == ()


def test_vectors_in_both_parts(make_vectors: MakeVectors) -> None:
    again = NUMBERS.copy()
    again[15] = again[2]
    config = DataConfig.model_validate(
        {
            "source": f"vectors:{make_vectors(vector=list(again))}",
            "train": {"split": "train"},
            "evaluate": {"split": "test"},
        }
    )
    training, evaluation = load_training(config, None), load_evaluation(config, None, seed=0)
    with pytest.raises(DataError, match=r"1 of 10 evaluation vectors are training vectors too, .*'s0_02'"):
        require_disjoint(config, training, evaluation)


def spoiled() -> pa.Array:
    rows: list[Any] = NUMBERS.tolist()
    rows[0], rows[1][3], rows[2][0], rows[3], rows[4] = None, float("nan"), 1e300, [0.0] * 8, [1.0, 2.0]
    return pa.array(rows, pa.list_(pa.float64()))


def test_vectors_of_no_use_are_refused_or_skipped(make_vectors: MakeVectors) -> None:
    uri = f"vectors:{make_vectors(vector=spoiled())}"
    said = (
        r"5 of 20 vectors are of no use: 2 not finite \(s0_01, s0_02\), 1 missing \(s0_00\), "
        r"1 of another dimension than 8 \(s0_04\), 1 zero \(s0_03\)\. .*data\.undecodable to skip"
    )
    with pytest.raises(DataError, match=said):
        load_images(uri, ALL, None)
    loaded = load_images(uri, ALL, None, undecodable="skip")
    np.testing.assert_allclose(loaded.images, unit(NUMBERS[5:]), atol=1e-7)
    assert loaded.labels.tolist() == [f"class{number // 5}" for number in range(5, 20)]
    assert "5 of 20 vectors were skipped: 2 not finite (s0_01, s0_02)" in " ".join(loaded.notes)
    with pytest.raises(DataError, match=r"5 of 5 vectors are of no use"):
        load_images(uri, SplitConfig(where="label == 'class0'"), None, undecodable="skip")


def test_rows_without_a_label_or_with_a_name_that_was_given(make_vectors: MakeVectors) -> None:
    labels: list[Any] = ["a", "b"] * 10
    ids: list[Any] = [f"s{number}" for number in range(20)]
    labels[3], labels[4], ids[5], ids[6] = None, " ", None, "s0"
    loaded = load_images(f"vectors:{make_vectors(label=labels, id=ids)}", ALL, None)
    assert len(loaded) == 16
    np.testing.assert_allclose(loaded.images[3:], unit(NUMBERS[7:]), atol=1e-7)
    (said, *_) = loaded.notes
    assert (
        "2 rows without a label (s3, s4), 1 rows whose id an earlier one has (s0), 1 rows without an id"
        in said
    )
    with pytest.raises(DataError, match="no vector with a label"):
        load_images(f"vectors:{make_vectors(label=pa.nulls(20, pa.string()))}", ALL, None)


@pytest.mark.parametrize(
    ("columns", "query", "message"),
    [
        ({"label": None}, "", r"no column label: say which one .*\?label=COLUMN; it has id, vector, split\."),
        ({}, "?label=species", r"no column 'species' for the label; it has id, vector"),
        ({}, "?id=x", r"no column 'x' for the sample_id"),
        ({}, "?vector=label", r"Column label .* holds string; vectors are lists of floats"),
        ({"vector": None}, "", r"no column of vectors: say which one"),
        ({"vector": list(range(20))}, "", r"Column vector .* holds int64"),
        ({"vector": pa.nulls(20, pa.list_(pa.float32()))}, "", r"holds no vector"),
        ({}, "?species=label", r"species: unknown key"),
        ({}, "?label", r"not of the form key=value"),
    ],
)
def test_mistakes_in_a_table(
    make_vectors: MakeVectors, columns: dict[str, Any], query: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_images(f"vectors:{make_vectors(**columns)}{query}", ALL, None)


@pytest.mark.parametrize(
    ("array", "query", "message"),
    [
        (NUMBERS, "", r"has vectors and no labels: name a table with a row for each vector"),
        (NUMBERS, "?rows=none.csv", r"there is no file none\.csv of the rows"),
        (NUMBERS, "?rows={}/labels.txt", r"labels\.txt has 2 rows, and there are 20 vectors"),
        (NUMBERS, "?rows={}/vectors.npy", r"labels are a row of texts or integers, not \(20, 8\)"),
        (NUMBERS[0], "?rows={}/labels.txt", r"holds \(8,\) of float32: vectors are an array"),
        (NUMBERS.astype(int), "?rows={}/labels.txt", r"of int64: vectors are an array"),
    ],
)
def test_mistakes_in_an_array(tmp_path: Path, array: np.ndarray, query: str, message: str) -> None:
    np.save(tmp_path / "vectors.npy", array)
    (tmp_path / "labels.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match=message):
        load_images(f"vectors:{tmp_path}/vectors.npy{query.format(tmp_path)}", ALL, None)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("vectors:{}/none.parquet", "does not exist"),
        ("vectors:{}/text.parquet", "cannot be read as Parquet, Arrow or NumPy"),
        ("vectors:{0}/table.parquet?rows={0}/text.parquet", "is a table, and has no use for rows"),
        ("glyphs:", "holds images; here vectors are wanted"),
    ],
)
def test_no_file_of_vectors(make_vectors: MakeVectors, tmp_path: Path, uri: str, message: str) -> None:
    make_vectors("table.parquet")
    (tmp_path / "text.parquet").write_text("hello, this is no Parquet file")
    with pytest.raises(DataError, match=message):
        load_images(uri.format(tmp_path), ALL, None)
