"""Learning over vectors whose images nobody has: entries of the gallery, and vectors in files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.base import ConfigError, DataError
from holdfast.config import Experiment, parse_experiment
from holdfast.entries import Entries, Entry
from holdfast.learning import ignore_progress
from holdfast.runs import learn_experiment, with_base, with_gallery
from holdfast.store import Store
from holdfast.testing import tiny_store

pytestmark = pytest.mark.filterwarnings("ignore:Source", "ignore:The gallery")

COUNT, CLASSES, DIMENSION = 240, 12, 8


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))


def planted() -> np.ndarray:
    """Classes that differ in half of the dimensions, and much that says nothing in the other half."""
    generator = np.random.default_rng(0)
    half = DIMENSION // 2
    middles = generator.normal(size=(CLASSES, half))[np.arange(COUNT) % CLASSES]
    said = middles + 0.3 * generator.normal(size=(COUNT, half))
    rows = np.concatenate([said, 1.5 * generator.normal(size=(COUNT, half))], axis=1)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def entry(number: int, vector: np.ndarray) -> Entry:
    return Entry(f"e{number}", "v1", vector, {"species": f"s{number % CLASSES}", "height": number})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with tiny_store(tmp_path / "store", versions=1, dimension=DIMENSION) as made:
        Entries(made).upsert([entry(number, vector) for number, vector in enumerate(planted())])
        yield made


def experiment(**changes: Any) -> Experiment:
    return parse_experiment(
        {
            "name": "projected",
            "data": {
                "source": "gallery:?label=species",
                "train": {"where": "fold < 7"},
                "evaluate": {"where": "fold >= 7"},
            },
            "stream": {"tasks": 2},
            "model": {"trunk": {"kind": "version", "name": "v1", "train": "none"}},
            "learning": {"epochs": 4},
            "scaling": {"workers": 0},
            **changes,
        }
    )


def test_projections_are_learned_over_the_gallery(store: Store) -> None:
    made = learn_experiment(store, experiment(), ignore_progress)
    assert made.versions == ["v2", "v3"]
    assert ("v3", "v1") in {(row.query, row.gallery) for row in store.compatibility.list()}
    assert Entries(store).count() == {"v1": COUNT}
    # What the gallery has become since is not this run's business.
    Entries(store).upsert([entry(1000, planted()[0])])
    assert learn_experiment(store, experiment(), ignore_progress).already_finished


def test_a_run_goes_on_with_the_entries_that_it_began_with(store: Store) -> None:
    ready = with_base(store, experiment())
    before = with_gallery(store, ready)
    assert before.data.source.startswith(f"vectors:{store.runs_folder}/projected/gallery/")
    assert before.data.source.endswith(".parquet?label=species")
    assert before.fingerprint == ready.fingerprint
    file = Path(before.data.source.removeprefix("vectors:").partition("?")[0])
    Entries(store).delete(["e0"])
    with_gallery(store, ready)
    assert pq.read_metadata(file).num_rows == COUNT - 1
    store.runs.begin("projected", ready.fingerprint, None)
    Entries(store).delete(["e1"])
    with_gallery(store, ready)
    assert pq.read_metadata(file).num_rows == COUNT - 1
    with_gallery(store, ready, anew=True)
    assert pq.read_metadata(file).num_rows == COUNT - 2


def table(path: Path, dimension: int) -> Path:
    vectors = planted()[:, :dimension]
    columns = {"id": range(COUNT), "label": [f"s{number % CLASSES}" for number in range(COUNT)]}
    pq.write_table(pa.table({**columns, "vector": list(vectors)}), path)
    return path


@pytest.mark.parametrize(
    ("source", "changes", "error", "message"),
    [
        ("gallery:", {}, DataError, r"No entry of v1 has an attribute 'label' .*are: height, species"),
        ("gallery:?label=species&id=x", {}, DataError, r"id cannot be chosen"),
        ("gallery:?species", {}, DataError, r"not of the form key=value"),
        (
            "gallery:?label=species",
            {"model": {}},
            ConfigError,
            r"name the version that made them",
        ),
        ("vectors:{}", {"model": {}}, DataError, r"holds vectors, and the model reads images"),
        (
            "vectors:{}",
            {},
            DataError,
            r"vectors of 6 numbers; the version that model\.trunk names makes 8",
        ),
    ],
)
def test_what_cannot_be_learned_from(
    store: Store,
    tmp_path: Path,
    source: str,
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    asked = experiment(**changes)
    given = source.format(table(tmp_path / "vectors.parquet", dimension=6))
    asked = asked.model_copy(update={"data": asked.data.model_copy(update={"source": given})})
    with pytest.raises(error, match=message):
        learn_experiment(store, asked, ignore_progress)
    assert store.runs.list() == []
