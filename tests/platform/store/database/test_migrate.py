import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from holdfast.base import StoreError
from holdfast.store import Store, open_store
from holdfast.store.database import migration as migrate
from holdfast.store.database.schema import metadata

OPEN = """
import sys, types
sys.modules["holdfast.models"] = types.SimpleNamespace(Encoder=None)  # PyTorch takes long, and is not needed
from holdfast.store import open_store
print("ready", flush=True)
input()
with open_store(*sys.argv[1:]) as store:
    print(len(store.versions.list()), store.traffic.current().epoch)
"""


def test_the_migrations_make_the_tables_of_the_schema(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "include_object": lambda *item: item[1] != "alembic_version"},
        )
        assert compare_metadata(context, metadata) == []


def test_head_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_processes_may_open_a_fresh_store_at_once(
    location: tuple[str, str], processes: Callable[..., list[subprocess.CompletedProcess[str]]]
) -> None:
    finished = processes(OPEN, *[[*location]] * 4)
    assert [each.stdout for each in finished] == ["0 0\n"] * 4, [each.stderr for each in finished]
    with open_store(*location) as store, store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM schema_history")).scalar() == 1


def test_a_migrated_store_is_opened_without_migrating(
    place: tuple[str, str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "_upgrade", None)
    with open_store(*place) as again:
        assert again.versions.list() == []


def test_a_newer_schema_is_refused_with_the_holdfast_to_use(location: tuple[str, str]) -> None:
    with open_store(*location) as store, store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9001'"))
        connection.execute(
            text(
                "INSERT INTO schema_history (id, revision, holdfast, applied_at) "
                "VALUES (99, '9001', '7.3.0', '2030-01-01 00:00:00')"
            )
        )
    with pytest.raises(StoreError, match=r"schema 9001, newer than schema .* use Holdfast 7\.3\.0"):
        open_store(*location)


def test_a_schema_from_before_the_first_release_is_refused(location: tuple[str, str]) -> None:
    with open_store(*location) as store, store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0007'"))
    with pytest.raises(StoreError, match=r"schema 0007, of a Holdfast before .* name another store"):
        open_store(*location)


def test_a_migration_that_fails_leaves_nothing(
    location: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def create_and_fail(connection: object) -> None:
        upgrade(connection)
        raise RuntimeError("the power went")

    upgrade = migrate._upgrade
    monkeypatch.setattr(migrate, "_upgrade", create_and_fail)
    with pytest.raises(RuntimeError):
        open_store(*location)
    url = location[0] if "://" in location[0] else f"sqlite:///{location[0]}/holdfast.db"
    engine = create_engine(url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    monkeypatch.undo()
    with open_store(*location) as store:
        assert store.versions.list() == []


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE entries (id INTEGER)"))
    with pytest.raises(StoreError, match="tables that Holdfast did not make"):
        open_store(f"sqlite:///{tmp_path / 'other.db'}")
    assert inspect(engine).get_table_names() == ["entries"]
    engine.dispose()
