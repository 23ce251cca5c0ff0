"""Databases for the tests of every part that keeps something in them."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from holdfast.store import open_store
from holdfast.store.schema import metadata


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the tests; skips where there is none."""
    tools = _find_postgres()
    if tools is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
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
            # Does not wait for clients to go, as SIGTERM would.
            process.send_signal(signal.SIGINT)
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _find_postgres() -> Path | None:
    """The folder of the server's programs; Debian keeps them off the PATH, one folder a release."""
    server = shutil.which("postgres")
    if server is not None:
        return Path(server).resolve().parent
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return max((path.parent for path in found), key=lambda path: float(path.parent.name), default=None)


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
