"""A run goes on over the same data alone, wherever they lie, and says so where it is finished already."""

import hashlib
import shutil

import numpy as np
import pytest
from PIL import Image

from holdfast.base import DataError
from holdfast.jobs.train import run_experiment
from holdfast.learning import FolderCheckpoints
from holdfast.learning.progress import ignore_progress
from holdfast.store import open_store


class KilledError(Exception):
    """Stands for a process that died."""


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    for split in ("train", "evaluation"):
        for number in range(6):
            # No image is in both parts.
            write_class(folder / split / f"{split}-{number}", number + 100 * (split == "evaluation"))
    return folder


def write_class(folder, seed, images=6):
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    centre = generator.integers(0, 200, (28, 28))
    for number in range(images):
        pixels = (centre + generator.integers(0, 55, (28, 28))).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


@pytest.fixture
def over(tiny):
    def make(folder):
        data = {
            "source": f"folder:{folder}",
            "train": {"split": "train"},
            "evaluate": {"split": "evaluation"},
        }
        return tiny(data=data, stream={"tasks": 2, "validation": 0.25})

    return make


def interrupt(store, experiment, monkeypatch):
    save = FolderCheckpoints.save

    def die(checkpoints, state):
        save(checkpoints, state)
        if state["task"]:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(FolderCheckpoints, "save", die)
        with pytest.raises(KilledError):
            run_experiment(store, experiment, ignore_progress)


def add(images):
    write_class(images / "train" / "new", 7)


def rename(images):
    (images / "train" / "train-2").rename(images / "train" / "other")


def replace(images):
    shutil.rmtree(images / "evaluation" / "evaluation-3")
    write_class(images / "evaluation" / "evaluation-3", 8)


def remove(images):
    (images / "evaluation" / "evaluation-1" / "0.png").unlink()


CHANGES = [
    (add, r"training: 1 class is new \(new\), 42 images instead"),
    (rename, r"training: 1 class is new \(other\), 1 class is gone \(train-2\)"),
    (replace, "queries: other pixels"),
    (remove, r"larger or smaller \(evaluation-1\)"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_an_interrupted_run_refuses_other_data(store, over, images, monkeypatch, change, said):
    interrupt(store, over(images), monkeypatch)
    change(images)
    with pytest.raises(DataError, match=said):
        run_experiment(store, over(images), ignore_progress)
    assert len(store.versions.list()) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (add, "training: 7 classes instead of 6 and 42 images instead of 36"),
        (rename, "training: other images"),
        (replace, "queries: other images; gallery: other images"),
    ],
)
def test_a_finished_run_refuses_other_data(store, over, images, change, said):
    run_experiment(store, over(images), ignore_progress)
    change(images)
    with pytest.raises(DataError, match=rf"is finished, .* changed since: {said}\. Its report.*--fresh"):
        run_experiment(store, over(images), ignore_progress)


def test_a_moved_and_touched_folder_goes_on(store, over, images, tmp_path, monkeypatch):
    interrupt(store, over(images), monkeypatch)
    moved = images.rename(tmp_path / "elsewhere")
    for file in moved.rglob("*.png"):
        file.touch()
    there = run_experiment(store, over(moved), ignore_progress)
    assert there.versions == ["v1", "v2"]
    again = run_experiment(store, over(moved.rename(images)), ignore_progress)
    assert again.already_finished
    with open_store(tmp_path / "other") as other:
        run_experiment(other, over(images), ignore_progress)
        contracts = [[version.contract for version in each.versions.list()] for each in (store, other)]
    assert contracts[0] == contracts[1]


@pytest.mark.parametrize("places", [{}, {"data": {"source"}, "stream": {"manifest"}}])
def test_a_run_of_an_earlier_holdfast_is_known_by_its_old_fingerprint(store, over, images, places):
    experiment = over(images)
    undecisive = dict.fromkeys(("scaling", "tuning", "evaluation", "adapter", "name"), True)
    dumped = experiment.model_dump_json(exclude={**undecisive, **places}).replace("trunk", "backbone")
    earlier = hashlib.sha256(dumped.encode()).hexdigest()[:16]
    assert earlier != experiment.fingerprint == over(images / "..").fingerprint
    store.runs.begin(experiment.name, earlier, None)
    assert run_experiment(store, experiment, ignore_progress).versions == ["v1", "v2"]
    assert run_experiment(store, experiment, ignore_progress).already_finished


def test_a_finished_run_whose_data_are_gone_shows_its_report(store, over, images):
    run_experiment(store, over(images), ignore_progress)
    shutil.rmtree(images)
    with pytest.warns(UserWarning, match="can no longer be read"):
        assert run_experiment(store, over(images), ignore_progress).already_finished
