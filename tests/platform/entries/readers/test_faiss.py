from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from holdfast.base import DataError
from holdfast.entries.readers import Layout, open_reader

Read = Callable[..., dict[str, Any]]


@pytest.fixture
def rows(vectors: Callable[..., np.ndarray]) -> np.ndarray:
    return vectors(60)


@pytest.fixture
def names() -> np.ndarray:
    return np.random.default_rng(0).permutation(10_000)[:60]


@pytest.mark.parametrize("kind", ["IDMap,Flat", "IDMap2,HNSW8", "IVF2,Flat", "IDMap,IVF2,Flat"])
def test_an_index_gives_its_vectors_by_its_own_ids(
    tmp_path: Path, rows: np.ndarray, names: np.ndarray, read: Read, same: Callable[..., bool], kind: str
) -> None:
    index = faiss.index_factory(8, kind)
    index.train(rows)
    index.add_with_ids(rows, names)
    faiss.write_index(index, str(tmp_path / "x.faiss"))
    assert same(read(tmp_path / "x.faiss"), dict(zip(map(str, names), rows, strict=True)))
    with pytest.raises(DataError, match=r"has ids of its own: leave --ids and --row-numbers out"):
        open_reader(str(tmp_path / "x.faiss"), Layout(row_numbers=True))


@pytest.mark.parametrize("kind", ["Flat", "HNSW8", "IVF2,Flat"])
def test_the_numbers_of_an_index_without_ids_are_rows_of_a_file(
    tmp_path: Path, rows: np.ndarray, read: Read, same: Callable[..., bool], kind: str
) -> None:
    index = faiss.index_factory(8, kind)
    index.train(rows)
    index.add(rows)
    faiss.write_index(index, str(tmp_path / "x.index"))
    assert same(read(tmp_path / "x.index", row_numbers=True), {str(n): rows[n] for n in range(60)})
    (tmp_path / "ids.txt").write_text("\n".join(f"e{n}" for n in range(60)))
    found = read(tmp_path / "x.index", ids=tmp_path / "ids.txt")
    assert same(found, {f"e{n}": rows[n] for n in range(60)})
    with pytest.raises(DataError, match=r"has no ids: name a file"):
        open_reader(str(tmp_path / "x.index"), Layout())


def test_codes_give_something_near_and_it_is_said(tmp_path: Path, rows: np.ndarray, read: Read) -> None:
    index = faiss.index_factory(8, "SQ8")
    index.train(rows)
    index.add(rows)
    faiss.write_index(index, str(tmp_path / "x.faiss"))
    found = read(tmp_path / "x.faiss", row_numbers=True)
    assert np.allclose(found["7"][0], rows[7], atol=0.05)
    with open_reader(str(tmp_path / "x.faiss"), Layout(row_numbers=True)) as reader:
        assert "keeps codes" in reader.notes[0]


def test_what_gives_no_vectors_is_refused(tmp_path: Path, rows: np.ndarray) -> None:
    index = faiss.index_factory(8, "LSH")
    index.add(rows)
    faiss.write_index(index, str(tmp_path / "lsh.faiss"))
    with pytest.raises(DataError, match=r"is a FAISS IndexLSH, which cannot give its vectors back"):
        open_reader(str(tmp_path / "lsh.faiss"), Layout(row_numbers=True))
    bits = faiss.IndexBinaryFlat(64)
    bits.add(np.zeros((3, 8), np.uint8))
    faiss.write_index_binary(bits, str(tmp_path / "bits.faiss"))
    with pytest.raises(DataError, match=r"is a FAISS index of binary codes"):
        open_reader(str(tmp_path / "bits.faiss"), Layout(row_numbers=True))
    flat = faiss.index_factory(8, "Flat")
    flat.add(rows)
    faiss.write_index(flat, str(tmp_path / "flat.faiss"))
    whole = (tmp_path / "flat.faiss").read_bytes()
    for content in (b"", b"no index at all", whole[:100], whole[:-100]):
        (tmp_path / "bad.faiss").write_bytes(content)
        with pytest.raises(DataError, match=r"bad.faiss is no FAISS index of vectors, or is damaged"):
            open_reader(str(tmp_path / "bad.faiss"), Layout(row_numbers=True))
