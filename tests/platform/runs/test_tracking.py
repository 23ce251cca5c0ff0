"""What trackers hear of real runs: interrupted, in a remote file system, with trackers that fail."""

import re

import pytest

from holdfast.base import ConfigError
from holdfast.jobs.train import run_experiment
from holdfast.learning.progress import ignore_progress
from holdfast.runs import run_folder
from holdfast.store import open_store
from holdfast.tracking import TensorBoardConfig
from tests.fixtures.trackers import read_events
from tests.platform.runs.test_run_folder import interrupt

OWN = "tests.fixtures.trackers:RecordingConfig"


def contracts(store):
    return [version.contract for version in store.versions.list()]


@pytest.fixture(scope="module")
def untracked(tmp_path_factory):
    """Contracts of the run that nobody tracked."""
    from holdfast.config import parse_experiment
    from tests.fixtures.runs import TINY

    with open_store(tmp_path_factory.mktemp("untracked")) as store:
        run_experiment(store, parse_experiment(TINY), ignore_progress)
        return contracts(store)


def test_a_run_that_is_interrupted_is_told_to_its_end(tiny, tmp_path, monkeypatch, untracked):
    file = tmp_path / "told"
    tracked = tiny(tracking=[{"kind": OWN, "file": str(file), "seconds": 0}])
    with open_store(tmp_path / "store") as store:
        interrupt(monkeypatch, store, tracked, 5)
        run_experiment(store, tracked, ignore_progress)
        versions = store.versions.list()
        assert contracts(store) == untracked
        rows = {(row.query, row.gallery): row for row in store.compatibility.list()}
    told = read_events(file)
    begun = [each for each in told if each["event"] == "Begun"]
    assert len({each["key"] for each in begun}) == 1
    assert [(each["verb"], each["name"], each["attempt"]) for each in begun] == 2 * [("run", "tiny", 1)]
    assert begun[0]["experiment"]["learning"]["epochs"] == 2
    ends = [(each["status"], each["reason"]) for each in told if each["event"] == "Ended"]
    assert ends == [("failed", "KilledError"), ("finished", None)]
    published = {each["name"]: each for each in told if each["event"] == "VersionPublished"}
    tasks = {each["version"]: each for each in told if each["event"] == "TaskEnded"}
    assert list(published) == list(tasks) == ["v1", "v2", "v3"]
    for version in versions:
        each, task = published[version.name], tasks[version.name]
        assert (each["contract"], each["parent"]) == (version.contract, version.parent)
        assert each["figures"]["self/recall_at_1"] >= 0
        assert (
            task["figures"]["epoch_loss/classification"] == version.metrics["history"][-1]["classification"]
        )
        assert each["step"] == task["step"]
        for pair in each["pairs"]:
            row = rows[version.name, pair["gallery"]]
            assert (pair["value"], pair["compatible"]) == (row.value, row.compatible)
    assert [pair["gallery"] for pair in published["v3"]["pairs"]] == ["v1", "v2"]
    # Steps are counted over the whole sequence, also by the process that saw only a part of it.
    ended = [task["step"] for task in tasks.values()]
    assert ended == sorted(ended)
    steps = [(each["step"], each["task"]) for each in told if each["event"] == "Stepped"]
    assert {step for step, _ in steps} >= set(ended)
    assert all(step <= ended[task] and (task == 0 or step > ended[task - 1]) for step, task in steps)


def test_trackers_that_fail_change_nothing(tiny, tmp_path, untracked):
    tracked = tiny(tracking=[{"kind": "tests.fixtures.trackers:FailingConfig"}])
    with open_store(tmp_path / "store") as store:
        with pytest.warns(UserWarning, match="the run goes on without it: ConnectionError"):
            run_experiment(store, tracked, ignore_progress)
        assert contracts(store) == untracked
        # It is finished, and nobody is told of it again.
        assert run_experiment(store, tracked, ignore_progress).already_finished


def test_what_is_kept_on_this_machine_goes_to_where_the_store_has_its_files(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    tracked = tiny(tracking=[{"kind": "tensorboard"}], stream={"tasks": 1, "validation": 0.25})
    with open_store(f"sqlite:///{tmp_path / 'x.db'}", f"fsspec+file://{tmp_path / 'bucket'}") as store:
        run_experiment(store, tracked, ignore_progress)
        here = run_folder.RunFolder(store, "tiny").path
    (written,) = here.glob("tracking/tensorboard/attempt-1/events.*")
    (there,) = (tmp_path / "bucket").glob("stores/*/runs/tiny/tracking/tensorboard/attempt-1/events.*")
    assert there.read_bytes() == written.read_bytes()


def test_a_tracker_that_is_not_installed_is_refused_before_work(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    tracked = tiny(tracking=[{"kind": "tensorboard"}])
    assert isinstance(tracked.tracking[0], TensorBoardConfig)
    with open_store(tmp_path / "store") as store:
        said = re.escape("pip install 'holdfast[tensorboard]'")
        with pytest.raises(ConfigError, match=said):
            run_experiment(store, tracked, ignore_progress)
        assert store.runs.list() == []
