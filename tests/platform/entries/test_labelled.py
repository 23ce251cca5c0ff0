"""Entries as a table to learn from."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.base import DataError
from holdfast.data import SplitConfig, load_images
from holdfast.entries import Entries, Entry, write_labelled
from holdfast.store import Store
from holdfast.testing import tiny_store, unit_vectors

VECTORS = unit_vectors(0, 12, 8)
pytestmark = pytest.mark.filterwarnings("ignore:Source", "ignore:The gallery")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = tiny_store(tmp_path / "store")
    Entries(made).upsert(
        [
            Entry(f"e{number}", "v1", VECTORS[number], {"species": f"s{number % 3}", "height": number / 2})
            for number in range(8)
        ]
        + [
            Entry("odd", "v1", VECTORS[8], {"height": 3, "sample_id": "x", "tame": True, "mixed": 1}),
            Entry("mixed", "v1", VECTORS[9], {"species": "s1", "mixed": "one"}),
            Entry("other", "v2", VECTORS[10], {"species": "s1"}),
            Entry("gone", "v1", VECTORS[11], {"species": "s1"}),
        ]
    )
    Entries(made).delete(["gone"])
    return made


def test_attributes_become_columns(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "labelled.parquet"
    assert write_labelled(store, store.versions.get("v1"), "species", path) == 10
    table = pq.read_table(path)
    assert {name: table.schema.field(name).type for name in table.column_names if name != "vector"} == {
        "sample_id": pa.string(),
        "height": pa.float64(),
        "mixed": pa.string(),
        "species": pa.string(),
        "tame": pa.bool_(),
    }
    assert table.column("sample_id").to_pylist() == [f"e{number}" for number in range(8)] + ["odd", "mixed"]
    assert table.column("mixed").to_pylist()[-2:] == ["1", "one"]
    np.testing.assert_array_equal(np.array(table.column("vector").to_pylist(), np.float32), VECTORS[:10])
    first, second = json.loads(table.schema.metadata[b"holdfast.notes"])
    assert first == "The gallery: passed over 1 entries of v2."
    assert second.startswith("The gallery: the attributes sample_id are left out")


def test_it_is_a_source_that_says_what_is_not_in_it(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "labelled.parquet"
    write_labelled(store, store.versions.get("v1"), "species", path)
    source = f"vectors:{path}?label=species"
    loaded = load_images(source, SplitConfig(where="height < 3"), None, cache=tmp_path / "cache")
    assert loaded.labels.tolist() == ["s0", "s1", "s2", "s0", "s1", "s2"]
    np.testing.assert_array_equal(loaded.images, VECTORS[:6])
    assert "The gallery: passed over 1 entries of v2." in loaded.notes
    whole = load_images(source, SplitConfig(), None, cache=tmp_path / "cache")
    assert len(whole) == 9
    assert any("1 rows without a label (odd)" in note for note in whole.notes)


def test_nothing_to_learn_from(store: Store, tmp_path: Path) -> None:
    v1 = store.versions.get("v1")
    with pytest.raises(DataError, match=r"attribute 'kind' for .*\?label=NAME\. .* are: height"):
        write_labelled(store, v1, "kind", tmp_path / "labelled.parquet")
    Entries(store).delete([f"e{number}" for number in range(8)] + ["odd", "mixed"])
    with pytest.raises(DataError, match="holds no entry that v1 embedded"):
        write_labelled(store, v1, "species", tmp_path / "labelled.parquet")
    assert list(tmp_path.glob("*labelled*")) == []
