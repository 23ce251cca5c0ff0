"""Where a run keeps its report and its checkpoints: in a folder, or in any file system that pyarrow knows."""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from holdfast.base import NotFoundError
from holdfast.evaluation import PAGE, REPORT
from holdfast.learning import FolderCheckpoints, State
from holdfast.publishing import published_by
from holdfast.store import Artifacts, Run, Store, Version

OWNER = "owner"


class RunFolder:
    """The files of one run.

    Attributes:
        path: a folder of this machine: the truth, or where the store's files are in a remote file system a
            working copy of it.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.path = store.runs_folder / name
        self._remote = None if store.remote_runs is None else store.remote_runs.below(name)
        self._local = Artifacts(self.path)

    def place(self, file: str) -> str:
        """Where a file is, for people."""
        return (self._remote or self._local).place(file)

    def read(self, file: str) -> bytes | None:
        """A file's bytes, None where it is not. The working copy follows."""
        try:
            data = (self._remote or self._local).read(file)
        except NotFoundError:
            self._local.remove(file)
            return None
        if self._remote is not None:
            self._local.replace(file, data)
        return data

    def write(self, file: str, data: bytes) -> None:
        """Write or replace a file, whole."""
        self._local.replace(file, data)
        if self._remote is not None:
            self._remote.replace(file, data)

    def locate(self, folder: str, file: str) -> str:
        """Where any process may read a file: its path, or its URI."""
        return (self._remote or self._local).below(f"{folder}/{file}").uri

    def fetch(self, folder: str) -> Path:
        """A folder of this machine with what is in a folder of the run, and nothing else."""
        if self._remote is not None:
            there, here = self._remote.sizes(folder), self._local.sizes(folder)
            for file in here.keys() - there.keys():
                self._local.remove(f"{folder}/{file}")
            for file in there:
                self._local.replace(f"{folder}/{file}", self._remote.read(f"{folder}/{file}"))
        return self.path / folder

    def send(self, folder: str) -> None:
        """Bring what is new in a folder of this machine to where the truth is, then remove what is gone."""
        if self._remote is None:
            return
        there, here = self._remote.sizes(folder), self._local.sizes(folder)
        for file in sorted(here.keys() - there.keys()):
            self._remote.replace(f"{folder}/{file}", self._local.read(f"{folder}/{file}"))
        for file in there.keys() - here.keys():
            self._remote.remove(f"{folder}/{file}")

    def copy_out(self, folder: str) -> None:
        """Bring all files below a folder of this machine to where the truth is, as they are now.

        Raises StoreError.
        """
        if self._remote is None:
            return
        for file in sorted((self.path / folder).rglob("*")):
            if file.is_file():
                self._remote.replace(file.relative_to(self.path).as_posix(), file.read_bytes())

    def storage(self, folder: str) -> dict[str, Any]:
        """A place for what Ray writes by itself, as arguments of its RunConfig."""
        file_system, root = (self._remote or self._local).file_system()
        return {"storage_path": f"{root}/{folder}", "storage_filesystem": file_system}

    def report(self, versions: Iterable[Version]) -> dict[str, Any] | None:
        """What `report.json` holds; None if it or the page is missing or damaged, or if it is not about these
        versions of the store."""
        data, page = self.read(REPORT), self.read(PAGE)
        if data is None or not (page or b"").rstrip().endswith(b"</html>"):
            return None
        try:
            found = json.loads(data)
            contracts = {version.name: version.contract for version in versions}
            about = [contracts[name] for name in found["versions"]]
            # Earlier reports name no contracts.
            whole = found.get("contracts", about) == about and len(found["recall_at_1"]) == len(about)
        except (ValueError, KeyError, TypeError):
            return None
        return found if whole else None


class RunCheckpoints:
    """The checkpoints of a run's newest attempt.

    A name is not enough to know them by: the database may have been made anew beside them, restored from a
    backup, or copied. What is of another history is left where it is, and the run starts over, to the same
    versions.

    Args:
        still_ours: raises if another process has taken the run over.
    """

    def __init__(self, store: Store, run: Run, still_ours: Callable[[], None]) -> None:
        self._store, self._run, self._still_ours = store, run, still_ours
        self._files = RunFolder(store, run.name)
        self._folder = self._claim()
        self._checkpoints = FolderCheckpoints(self._files.fetch(self._folder))

    def latest(self) -> State | None:
        """The newest state that goes with what the database says was published."""
        state = self._checkpoints.latest()
        if state is None:
            return None
        published = [version.name for version in published_by(self._store, self._run)]
        if state["versions"] != published[: len(state["versions"])]:
            warnings.warn(
                f"The checkpoints of run '{self._run.name}' are of another history of this database: it "
                "starts over, to the same versions.",
                stacklevel=2,
            )
            return None
        return state

    def save(self, state: State) -> None:
        """Raises LeaseLostError if another process has taken the run over."""
        self._still_ours()
        self._checkpoints.save(state)
        self._files.send(self._folder)

    def _claim(self) -> str:
        """The attempt's folder; another one where its name is taken by a run of another history."""
        run, name = self._run, f"checkpoints-{self._run.attempt}"
        began = f"{run.name} {run.attempt} {run.started_at.isoformat()}"
        ours = hashlib.sha256(began.encode()).hexdigest()[:32].encode()
        owner = self._files.read(f"{name}/{OWNER}")
        if owner is None and not self._older_than_run(name):
            self._files.write(f"{name}/{OWNER}", ours)
        elif owner != ours:
            name = f"{name}-{ours[:8].decode()}"
        return name

    def _older_than_run(self, name: str) -> bool:
        """Whether there are checkpoints from before the run began, by a Holdfast that did not mark them."""
        began = self._run.started_at.timestamp()
        files = (self._files.path / name).glob("checkpoint-*.pt")
        return any(file.stat().st_mtime < began for file in files)
