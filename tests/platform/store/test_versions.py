import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.base import ConflictError, NotFoundError
from holdfast.store import Draft, Store, open_store

# Importing PyTorch takes a process longer than everything that is tested here, so these do without: their
# encoder only knows its contract.
LIGHT = """
import json, os, signal, sys, types
from pathlib import Path

class Encoder:
    @classmethod
    def load(cls, folder):
        description = json.loads((folder / "encoder.json").read_text())
        contract = types.SimpleNamespace(
            id=description["contract_id"], model_dump=lambda mode: description["contract"], dimension=8
        )
        return types.SimpleNamespace(contract=lambda: contract, takes=["image"])

sys.modules["holdfast.models"] = types.SimpleNamespace(load_model=Encoder.load, find_flaw=lambda model: None)
from holdfast.store import Draft, open_store, versions as module
where, artifacts, run, folder = sys.argv[1:]
"""

PUBLISH = f"""
{LIGHT}
with open_store(where, artifacts) as store:
    print("ready", flush=True)
    input()
    for task in range(3):
        print(store.versions.publish(Draft(run, 1, task, None, Path(folder), "", "")).name)
"""

DIE_BEFORE_THE_ROW = f"""
{LIGHT}
module.insert_version = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
open_store(where, artifacts).versions.publish(Draft(run, 1, 0, None, Path(folder), "", ""))
"""


def test_versions_are_numbered_and_keep_what_they_were_given(
    store: Store, draft: Callable[..., Draft]
) -> None:
    first = store.versions.publish(draft(0, metrics={"recall": 50.0, "bad": float("nan"), "list": [1, 2.5]}))
    second = store.versions.publish(draft(1, parent="v1", attempt=2))
    assert [first.name, second.name] == ["v1", "v2"]
    assert (second.number, second.parent, second.run, second.attempt, second.task) == (2, "v1", "a", 2, 1)
    assert first.metrics == {"recall": 50.0, "bad": None, "list": [1, 2.5]}
    assert first.contract.startswith("hf1-")
    assert first.contract != second.contract
    assert first.dimension == first.contract_body["dimension"] == 8
    assert timedelta(0) <= datetime.now(UTC) - first.created_at < timedelta(minutes=5)
    assert store.versions.list() == [first, second]
    assert store.versions.get("v2") == second


def test_publishing_again_is_the_same_publication(store: Store, draft: Callable[..., Draft]) -> None:
    first = store.versions.publish(draft(0))
    store.versions.publish(draft(1, parent="v1"))
    assert store.versions.publish(draft(0)) == first
    with pytest.raises(ConflictError, match="published v1 with other weights"):
        store.versions.publish(draft(0, weights=2))
    assert len(store.versions.list()) == 2
    # A fresh attempt of the same task is a publication of its own, even of the same weights.
    assert store.versions.publish(draft(0, attempt=2)).name == "v3"


def test_an_unknown_parent_is_refused_and_uses_no_number(store: Store, draft: Callable[..., Draft]) -> None:
    with pytest.raises(NotFoundError, match="no version 'v7': the store holds no versions yet"):
        store.versions.publish(draft(0, parent="v7"))
    assert store.versions.publish(draft(0)).name == "v1"


def test_a_file_may_not_replace_the_encoders(
    store: Store, draft: Callable[..., Draft], tmp_path: Path
) -> None:
    (tmp_path / "x").write_text("x")
    for name in ("weights.safetensors", "../x", ".hidden"):
        with pytest.raises(ConflictError):
            store.versions.publish(draft(files={name: tmp_path / "x"}))
    assert store.versions.list() == []


def test_a_failure_before_the_row_leaves_no_version_and_the_retry_succeeds(
    store: Store, draft: Callable[..., Draft], monkeypatch: pytest.MonkeyPatch
) -> None:
    from holdfast.store import versions as module

    def fail(*arguments: object) -> None:
        raise OSError("the connection went")

    monkeypatch.setattr(module, "insert_version", fail)
    with pytest.raises(OSError, match="connection"):
        store.versions.publish(draft())
    assert store.versions.list() == []
    assert store.artifacts.root is not None
    written = {path: path.stat().st_mtime_ns for path in store.artifacts.root.rglob("*.*")}
    assert written
    monkeypatch.undo()
    assert store.versions.publish(draft()).name == "v1"
    # The files of the first try are the files of the version: they were not written again.
    assert {path: path.stat().st_mtime_ns for path in store.artifacts.root.rglob("*.*")} == written
    store.versions.load("v1")


def test_a_process_killed_before_the_row_leaves_no_version(
    tmp_path: Path, draft: Callable[..., Draft], encoder_folders: list[Path]
) -> None:
    location = [str(tmp_path / "store"), str(tmp_path / "artifacts")]
    command = [sys.executable, "-c", DIE_BEFORE_THE_ROW, *location, "a", str(encoder_folders[0])]
    died = subprocess.run(command, capture_output=True, check=False)
    assert died.returncode == -9, died.stderr
    with open_store(*location) as store:
        assert store.versions.list() == []
        assert store.versions.publish(draft()).name == "v1"
        store.versions.load("v1")


def test_processes_that_publish_at_once_get_different_numbers(
    tmp_path: Path,
    encoder_folders: list[Path],
    processes: Callable[..., list[subprocess.CompletedProcess[str]]],
) -> None:
    location = [str(tmp_path), str(tmp_path / "artifacts")]
    # Two publish runs of their own; a third publishes the same tasks as the first.
    finished = processes(
        PUBLISH, *[[*location, run, str(encoder_folders[0])] for run in ("one", "two", "one")]
    )
    names = [each.stdout.split() for each in finished]
    assert names[0] == names[2], [each.stderr for each in finished]
    assert sorted(names[0] + names[1]) == ["v1", "v2", "v3", "v4", "v5", "v6"]
    with open_store(*location) as store:
        assert [version.number for version in store.versions.list()] == [1, 2, 3, 4, 5, 6]


def test_threads_that_publish_at_once_get_different_numbers(
    place: tuple[str, str], draft: Callable[..., Draft]
) -> None:
    def publish(run: str) -> list[str]:
        with open_store(*place) as store:
            return [store.versions.publish(draft(task, run=run)).name for task in range(4)]

    with ThreadPoolExecutor(3) as threads:
        first, second, again = threads.map(publish, ["one", "two", "one"])
    assert first == again
    assert {*first, *second} == {f"v{number}" for number in range(1, 9)}
