"""A run's report and checkpoints belong to its store: in a folder, in a remote file system, in no other."""

import json
import shutil

import pytest

from holdfast.base import ConfigError, DataError
from holdfast.jobs.train import run_experiment
from holdfast.learning import FolderCheckpoints
from holdfast.learning.progress import ignore_progress
from holdfast.runs import run_folder
from holdfast.runs.evaluate import evaluate_lineage
from holdfast.runs.run_folder import RunCheckpoints, RunFolder
from holdfast.store import open_store

ONE_TASK = {"tasks": 1, "validation": 0.25}


class KilledError(Exception):
    """Stands for a process that died."""


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """A store whose files lie in a file system that is not this machine's; opened by whoever asks."""
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    return lambda: open_store(f"sqlite:///{tmp_path / 'x.db'}", f"fsspec+file://{tmp_path / 'bucket'}")


def none_of_it():
    """Stands for a lock that holds."""


def interrupt(patch, store, experiment, saves):
    class Dying(FolderCheckpoints):
        def save(self, state):
            super().save(state)
            nonlocal saves
            saves -= 1
            if saves == 0:
                raise KilledError

    with patch.context() as inner:
        inner.setattr(run_folder, "FolderCheckpoints", Dying)
        with pytest.raises(KilledError):
            run_experiment(store, experiment, ignore_progress)


def test_an_interrupted_run_goes_on_on_another_machine(remote, tiny, tmp_path, monkeypatch):
    with open_store(tmp_path / "whole") as store:
        whole = [
            store.versions.get(name).contract
            for name in run_experiment(store, tiny(), ignore_progress).versions
        ]
    with remote() as store:
        interrupt(monkeypatch, store, tiny(), 5)
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "another machine"))
    with remote() as store:
        run = store.runs.get("tiny")
        assert RunCheckpoints(store, run, none_of_it).latest()["task"] > 0
        found = run_experiment(store, tiny(), ignore_progress).versions
        assert [store.versions.get(name).contract for name in found] == whole
        kept = store.remote_runs.sizes("tiny/checkpoints-1")
        assert len([name for name in kept if name.endswith(".pt")]) == 2
    shutil.rmtree(tmp_path / "another machine")
    with remote() as store:
        again = run_experiment(store, tiny(), ignore_progress)
        assert again.already_finished
        assert json.loads(again.report.with_suffix(".json").read_text())["versions"] == found
        assert RunFolder(store, "tiny").place("report.html").startswith(f"fsspec+file://{tmp_path}/bucket/")


@pytest.mark.parametrize("damage", ["gone", "cut short", "page gone", "page cut short", "of another store"])
def test_a_report_that_is_gone_or_damaged_is_drawn_anew(tiny, tmp_path, damage):
    with open_store(tmp_path / "store") as store:
        outcome = run_experiment(store, tiny(stream=ONE_TASK), ignore_progress)
        file = outcome.report if "page" in damage else outcome.report.with_suffix(".json")
        before = json.loads(outcome.report.with_suffix(".json").read_text())
        if "gone" in damage:
            file.unlink()
        elif "short" in damage:
            file.write_bytes(file.read_bytes()[:100])
        else:
            file.write_text(json.dumps({**before, "contracts": ["hf1-0000000000000000"]}))
        again = run_experiment(store, tiny(stream=ONE_TASK), ignore_progress)
        assert again.already_finished
        after = json.loads(again.report.with_suffix(".json").read_text())
        assert after["recall_at_1"] == before["recall_at_1"]
        assert after["contracts"] == [store.versions.get("v1").contract]
        assert again.report.read_text().rstrip().endswith("</html>")


def test_a_report_that_cannot_be_drawn_anew_is_one_sentence(tiny, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise DataError("Source 'glyphs:' is missing.")

    with open_store(tmp_path / "store") as store:
        run_experiment(store, tiny(stream=ONE_TASK), ignore_progress).report.unlink()
        monkeypatch.setattr("holdfast.runs.evaluate.load_datasets", fail)
        with pytest.raises(DataError, match=r"'tiny' is finished, but its report is gone, .* is missing"):
            run_experiment(store, tiny(stream=ONE_TASK), ignore_progress)


def test_a_control_whose_report_is_gone_is_one_sentence(tiny, tmp_path):
    with open_store(tmp_path / "store") as store:
        outcome = run_experiment(store, tiny(stream=ONE_TASK), ignore_progress)
        outcome.report.with_suffix(".json").write_text("{")
        controlled = tiny(stream=ONE_TASK, evaluation={"control": "tiny"})
        with pytest.raises(ConfigError, match="Redraw it with holdfast evaluate"):
            evaluate_lineage(store, controlled, None, ignore_progress)


def test_checkpoints_of_another_history_are_not_gone_on_from(tiny, tmp_path, monkeypatch):
    """The database was made anew beside them; or restored from before the run published what they hold."""
    folder = tmp_path / "store"
    with open_store(folder) as store:
        interrupt(monkeypatch, store, tiny(seed=1), 5)
        assert [version.name for version in store.versions.list()] == ["v1"]
    for file in folder.glob("holdfast.db*"):
        file.unlink()
    with open_store(folder) as store:
        interrupt(monkeypatch, store, tiny(seed=2), 1)
        # Had it gone on, it would have been past its first task.
        assert store.versions.list() == []
        saved = list((folder / "runs" / "tiny").rglob("*.pt"))
        assert len({path.parent for path in saved}) == 2
        shutil.copytree(folder, tmp_path / "backup")
        interrupt(monkeypatch, store, tiny(seed=2), 4)
        assert len(store.versions.list()) == 1
    shutil.copytree(folder / "runs", tmp_path / "backup" / "runs", dirs_exist_ok=True)
    with open_store(tmp_path / "backup") as restored:
        with pytest.warns(UserWarning, match="of another history"):
            found = run_experiment(restored, tiny(seed=2), ignore_progress)
        assert found.versions == ["v1", "v2", "v3"]


def test_unmarked_checkpoints_count_if_they_are_of_the_run(tiny, tmp_path, monkeypatch):
    """Earlier releases did not mark them."""
    with open_store(tmp_path / "store") as store:
        interrupt(monkeypatch, store, tiny(), 5)
        (tmp_path / "store" / "runs" / "tiny" / "checkpoints-1" / "owner").unlink()
        assert RunCheckpoints(store, store.runs.get("tiny"), none_of_it).latest()["task"] > 0
