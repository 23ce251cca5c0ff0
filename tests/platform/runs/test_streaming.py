"""A run whose images are never decoded to disk: the same weights whenever it is interrupted, and a version
that is measured, reported and refused as any other."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from holdfast.base import DataError
from holdfast.config import Experiment
from holdfast.jobs import run_experiment
from holdfast.learning import FolderCheckpoints, ignore_progress, run_sequence
from holdfast.learning.resuming import State
from holdfast.runs import load_datasets
from holdfast.store import open_store
from tests.fixtures.runs import TINY

Make = Callable[..., Experiment]


class KilledError(Exception):
    """Stands for a process that died."""


class Dying(FolderCheckpoints):
    """Dies after so many checkpoints."""

    def __init__(self, folder: Path, left: int) -> None:
        super().__init__(folder)
        self.left = left

    def save(self, state: State) -> None:
        super().save(state)
        self.left -= 1
        if self.left == 0:
            raise KilledError


class Kept:
    """A publisher that keeps contracts."""

    def __init__(self) -> None:
        self.contracts: dict[int, str] = {}

    def parent(self) -> None:
        return None

    def gallery_sample(self) -> None:
        return None

    def publish(self, learned: object) -> str:
        self.contracts[learned.task] = learned.encoder.contract().id
        return f"v{learned.task + 1}"


@pytest.fixture
def streamed(tiny: Make, shards: Path) -> Make:
    def make(**changes: object) -> Experiment:
        data = {**TINY["data"], "source": f"parquet:{shards}", "streaming": True, "shuffle": 32}
        return tiny(**{"data": data, **changes})

    return make


@pytest.mark.parametrize(
    "changes",
    [{}, {"learning": {**TINY["learning"], "turns": 2, "augment": {"mixup": 0.4}, "batch_size": 24}}],
)
def test_interrupted_anywhere_it_gives_the_same_weights(
    streamed: Make, tmp_path: Path, changes: dict[str, object]
) -> None:
    """Inside an epoch, at its end, between tasks."""
    experiment = streamed(**changes)
    whole, broken = Kept(), Kept()
    run_sequence(experiment, load_datasets(experiment), whole, FolderCheckpoints(tmp_path / "whole"))
    assert len(set(whole.contracts.values())) == 3
    for left in (1, 3, 4, 20):
        try:
            run_sequence(experiment, load_datasets(experiment), broken, Dying(tmp_path / "broken", left))
        except KilledError:
            continue
    assert broken.contracts == whole.contracts


def test_its_versions_are_measured_as_those_of_decoded_images(
    streamed: Make,
    tiny: Make,
    shards: Path,
    tmp_path: Path,
) -> None:
    with open_store(tmp_path / "store") as store:
        outcome = run_experiment(store, streamed(), ignore_progress, publish_anyway=True)
        assert outcome.versions == ["v1", "v2", "v3"]
        report = json.loads(outcome.report.with_suffix(".json").read_text())
        assert report["versions"] == outcome.versions
        decoded = load_datasets(tiny(data={**TINY["data"], "source": f"parquet:{shards}"}))
        encoder = store.versions.load_encoder("v3")
        data = load_datasets(streamed())
        np.testing.assert_array_equal(
            encoder.embed(data.evaluation.gallery.images), encoder.embed(decoded.evaluation.gallery.images)
        )
        again = run_experiment(store, streamed(), ignore_progress)
        assert again.already_finished


def test_it_does_not_go_on_as_one_that_decodes(streamed: Make, tiny: Make, shards: Path) -> None:
    decoded = tiny(data={**TINY["data"], "source": f"parquet:{shards}"})
    assert streamed().fingerprint != decoded.fingerprint
    assert decoded.fingerprint == tiny().fingerprint


def test_an_image_that_is_lost_on_the_way_stops_it_with_its_name(
    streamed: Make,
    tmp_path: Path,
    shards: Path,
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for file in shards.iterdir():
        (images / file.name).write_bytes(file.read_bytes())
    experiment = streamed(data={**TINY["data"], "source": f"parquet:{images}", "streaming": True})
    data = load_datasets(experiment)
    (images / "1.parquet").write_bytes(b"PAR1 gone PAR1")
    with pytest.raises(DataError, match=r"cannot be read as Parquet \(1.parquet\)"):
        run_sequence(experiment, data, Kept(), FolderCheckpoints(tmp_path / "checkpoints"))
