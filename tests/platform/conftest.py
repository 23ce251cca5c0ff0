"""Databases for the tests of every part that keeps something in them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from holdfast.store import open_store
from holdfast.store.database.engine import make_engine
from holdfast.store.database.migration import migrate
from holdfast.store.database.schema import metadata
from tests.fixtures.databases import empty_database


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file of an empty store, to be copied: that is quicker than to migrate for every test."""
    folder = tmp_path_factory.mktemp("migrated")
    open_store(folder).close()
    return folder / "holdfast.db"


@pytest.fixture(scope="session")
def shared_database(postgres: str) -> Iterator[str]:
    """The URL of one PostgreSQL database for all tests that begin with an empty store."""
    with empty_database(postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, migrated: Path) -> tuple[str, str]:
    """Where `store` is: its database and its artifacts."""
    if request.param == "sqlite":
        (tmp_path / "store").mkdir()
        shutil.copy(migrated, tmp_path / "store" / "holdfast.db")
        return str(tmp_path / "store"), str(tmp_path / "store" / "artifacts")
    url = request.getfixturevalue("shared_database")
    engine = make_engine(url)
    migrate(engine)
    with engine.begin() as connection:
        tables = ", ".join(set(metadata.tables) - {"schema_history", "counters"})
        connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))
        connection.execute(text("UPDATE counters SET value = 0"))
    engine.dispose()
    return url, str(tmp_path / "artifacts")
