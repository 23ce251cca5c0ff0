import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from sqlalchemy import create_engine, make_url, text

from holdfast.models import Encoder, ModelConfig, Preprocessing
from holdfast.store import Compatibility, Draft, Store, open_store
from holdfast.store.schema import metadata


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
            "encoder_folder": encoder_folders[(task if weights is None else weights) % 4],
            "experiment": "name: a\n",
            "data_fingerprint": "data-1",
            "metrics": {"recall_at_1": 50.0},
        }
        return Draft(**(fields | changes))

    return make


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the tests; skips where there is none."""
    server = shutil.which("postgres")
    if server is None:
        pytest.skip("no PostgreSQL server is installed")
    tools = Path(server).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="holdfast-postgres-"))
    # PostgreSQL does not run as root.
    user = {"user": "postgres", "group": "postgres"} if folder.owner() == "root" else {}
    try:
        if user:
            shutil.chown(folder, "postgres", "postgres")
        subprocess.run(
            [tools / "initdb", "-D", folder / "data", "-U", "holdfast", "--auth=trust", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            **user,
        )
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        process = subprocess.Popen(
            [tools / "postgres", "-D", folder / "data", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            **user,
        )
        try:
            url = f"postgresql+psycopg://holdfast@/postgres?host={folder}"
            _wait_for(url)
            yield url
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str) -> None:
    engine = create_engine(url)
    deadline = time.monotonic() + 30
    while True:
        try:
            with engine.connect():
                break
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    engine.dispose()


_numbers = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Where a store may be made, nothing is there yet: its database and its artifacts."""
    if request.param == "sqlite":
        yield str(tmp_path / "store"), str(tmp_path / "store" / "artifacts")
        return
    url = request.getfixturevalue("postgres")
    name = f"test{next(_numbers)}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(url).set(database=name).render_as_string(), str(tmp_path / "artifacts")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file of an empty store, to be copied: that is quicker than to migrate for every test."""
    folder = tmp_path_factory.mktemp("migrated")
    open_store(folder).close()
    return folder / "holdfast.db"


@pytest.fixture(scope="session")
def shared_database(postgres: str) -> str:
    """The URL of one PostgreSQL database for all tests that begin with an empty store."""
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE shared"))
    engine.dispose()
    return make_url(postgres).set(database="shared").render_as_string()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, migrated: Path) -> tuple[str, str]:
    """Where `store` is: its database and its artifacts."""
    if request.param == "sqlite":
        (tmp_path / "store").mkdir()
        shutil.copy(migrated, tmp_path / "store" / "holdfast.db")
        return str(tmp_path / "store"), str(tmp_path / "store" / "artifacts")
    url = request.getfixturevalue("shared_database")
    with open_store(url, str(tmp_path)) as opened, opened.engine.begin() as connection:
        tables = ", ".join(set(metadata.tables) - {"schema_history", "counters"})
        connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))
        connection.execute(text("UPDATE counters SET value = 0"))
    return url, str(tmp_path / "artifacts")


@pytest.fixture
def store(place: tuple[str, str]) -> Iterator[Store]:
    """An empty store, once in SQLite and once in PostgreSQL."""
    with open_store(*place) as opened:
        yield opened


@pytest.fixture
def lineage(store: Store, draft: Callable[..., Draft]) -> Store:
    """A store with v1 <- v2 <- v3, nothing measured."""
    for task in range(3):
        store.publish(draft(task, parent=f"v{task}" if task else None))
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
            output, errors = process.communicate(timeout=120)
            finished.append(subprocess.CompletedProcess(process.args, process.returncode, output, errors))
        return finished

    return run
