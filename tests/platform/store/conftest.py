import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from holdfast.models import Encoder, ModelConfig, Preprocessing
from holdfast.store import Compatibility, Draft, Store, open_store
from tests.fixtures.databases import empty_database


@pytest.fixture(scope="session")
def encoder_folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four small encoders of 8 dimensions with different weights, as `Encoder.save` writes them."""
    folders = []
    for seed in range(4):
        torch.manual_seed(seed)
        config = ModelConfig(dimension=8, width=0.125, preprocessing=Preprocessing(size=16))
        folders.append(tmp_path_factory.mktemp(f"encoder{seed}"))
        Encoder(config).save(folders[-1])
    return folders


@pytest.fixture
def draft(encoder_folders: list[Path]) -> Callable[..., Draft]:
    def make(task: int = 0, weights: int | None = None, **changes: object) -> Draft:
        fields = {
            "run": "a",
            "attempt": 1,
            "task": task,
            "parent": None,
            "model_folder": encoder_folders[(task if weights is None else weights) % 4],
            "experiment": "name: a\n",
            "data_fingerprint": "data-1",
            "metrics": {"recall_at_1": 50.0},
        }
        return Draft(**(fields | changes))

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Where a store may be made, nothing is there yet: its database and its artifacts."""
    if request.param == "sqlite":
        yield str(tmp_path / "store"), str(tmp_path / "store" / "artifacts")
        return
    with empty_database(request.getfixturevalue("postgres")) as url:
        yield url, str(tmp_path / "artifacts")


@pytest.fixture
def store(place: tuple[str, str]) -> Iterator[Store]:
    """An empty store, once in SQLite and once in PostgreSQL."""
    with open_store(*place) as opened:
        yield opened


@pytest.fixture
def lineage(store: Store, draft: Callable[..., Draft]) -> Store:
    """A store with v1 <- v2 <- v3, nothing measured."""
    for task in range(3):
        store.versions.publish(draft(task, parent=f"v{task}" if task else None))
    return store


@pytest.fixture
def measured() -> Callable[..., Compatibility]:
    def make(query: str, gallery: str, compatible: bool = True, value: float = 0.7) -> Compatibility:
        return Compatibility(query, gallery, value, 0.6, 0.05, 0.15, compatible, "evaluation-1")

    return make


@pytest.fixture
def processes() -> Callable[..., list[subprocess.CompletedProcess[str]]]:
    def run(script: str, *arguments: list[str]) -> list[subprocess.CompletedProcess[str]]:
        """Run a script in several processes at once, one for each list of arguments."""
        started = [
            subprocess.Popen(
                [sys.executable, "-c", script, *each],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                stdin=subprocess.PIPE,
                text=True,
            )
            for each in arguments
        ]
        # Everybody imports first and waits at `input()`, so that they then really run at once.
        for process in started:
            process.stdout.readline()
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        finished = []
        for process in started:
            output, errors = process.communicate(timeout=600)
            finished.append(subprocess.CompletedProcess(process.args, process.returncode, output, errors))
        return finished

    return run
