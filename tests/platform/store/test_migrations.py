"""Migrations of a filled database, up and down, and a process that dies at each of their statements."""

import os
import traceback
from collections.abc import Callable, Set
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import (
    JSON,
    Boolean,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    event,
    insert,
    inspect,
    select,
)

from holdfast.adapters import LinearAdapter
from holdfast.entries import Entries, Entry, Lease
from holdfast.store import Compatibility, Draft, open_store
from holdfast.store.database import make_engine, reading, writing
from holdfast.store.migrate import HEAD, SCRIPTS, migrate, revision
from holdfast.store.schema import UtcDateTime, metadata

Rows = dict[str, list[dict[str, Any]]]
OURS = {"alembic_version", "schema_history"}
REVISIONS = [path.name.split("_")[0] for path in sorted((SCRIPTS / "versions").glob("[0-9]*.py"))]


@pytest.fixture
def filled(
    location: tuple[str, str], draft: Callable[..., Draft], measured: Callable[..., Compatibility]
) -> Callable[[], Engine]:
    """Makes engines for a database that has rows in every table."""
    with open_store(*location) as store:
        for task in range(3):
            store.versions.publish(draft(task, parent=f"v{task}" if task else None))
        store.adapters.register("v2", "v1", LinearAdapter.of(np.eye(8)))
        store.compatibility.record([measured("v2", "v1"), measured("v3", "v1")])
        store.traffic.promote("v1")
        store.keys.create("admin")
        vector = np.eye(1, 8, dtype=np.float32)[0]
        entries = Entries(store)
        entries.upsert(
            [Entry(f"e{number}", f"v{number % 3 + 1}", vector, {"n": number}) for number in range(30)]
        )
        entries.delete(["e7"])
        with Lease.take(store):
            pass
        with writing(store.engine) as connection:
            for table in metadata.sorted_tables:
                if connection.execute(select(table)).first() is None:
                    connection.execute(insert(table).values(_row(table)))
        url = store.engine.url
    return lambda: make_engine(url.render_as_string(hide_password=False))


def _row(table: Any) -> dict[str, Any]:
    """A value for every column, whatever the table."""
    return {column.name: "v1" if column.foreign_keys else _value(column.type) for column in table.c}


def _value(kind: Any) -> Any:
    for known, value in (
        (JSON, {}),
        (Boolean, False),
        (Integer, 1),
        (Float, 0.5),
        (LargeBinary, b"x"),
        (UtcDateTime, datetime.now(UTC)),
    ):
        if isinstance(kind, known):
            return value
    return "x"


def _rows(engine: Engine) -> Rows:
    """All that the database holds now, whatever its tables are now."""
    found = MetaData()
    with reading(engine) as connection:
        found.reflect(connection)
        return {
            name: sorted((dict(row._mapping) for row in connection.execute(select(table))), key=repr)
            for name, table in found.tables.items()
            if name not in OURS
        }


def _go_to(engine: Engine, target: str) -> None:
    with writing(engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        going_up = (revision(connection) or "") < target
        (command.upgrade if going_up else command.downgrade)(config, target)


def _same(before: Rows, after: Rows) -> None:
    """What both schemas can hold is the same in both."""
    for name in before.keys() & after.keys():
        if not before[name] or not after[name]:
            assert before[name] == after[name], name
            continue
        common = before[name][0].keys() & after[name][0].keys()
        assert common
        kept = [
            sorted(repr({column: row[column] for column in sorted(common)}) for row in rows[name])
            for rows in (before, after)
        ]
        if name == "counters":
            # They come and go with what they count.
            there = set(kept[0]) & set(kept[1])
            assert len(there) >= 5
            kept = [[row for row in rows if row in there] for rows in kept]
        assert kept[0] == kept[1], name


def test_a_filled_database_goes_down_step_by_step_and_up_again(filled: Callable[[], Engine]) -> None:
    engine = filled()
    full = [_rows(engine)]
    assert all(full[0].values()), "a table is empty, and so is not tested"
    for target in reversed(REVISIONS[:-1]):
        _go_to(engine, target)
        with reading(engine) as connection:
            assert revision(connection) == target
        full.append(_rows(engine))
        _same(full[-2], full[-1])
    lowest = full[-1]
    assert {"name": "writer", "value": 1} in lowest["counters"]
    for target in REVISIONS[1:]:
        _go_to(engine, target)
        _same(lowest, _rows(engine))
    migrate(engine)
    assert _rows(engine)["leases"][0]["epoch"] == 1
    _same(lowest, _rows(engine))
    engine.dispose()


@pytest.mark.parametrize("start", ["empty", REVISIONS[0]])
def test_a_crash_at_any_statement_of_an_upgrade_leaves_the_old_schema_or_the_new(
    request: pytest.FixtureRequest, location: tuple[str, str], start: str
) -> None:
    if start == "empty":
        with open_store(*location) as store:
            url = store.engine.url.render_as_string(hide_password=False)
        with make_engine(url).begin() as connection:
            found = MetaData()
            found.reflect(connection)
            found.drop_all(connection)
    else:
        url = request.getfixturevalue("filled")().url.render_as_string(hide_password=False)
        engine = make_engine(url)
        _go_to(engine, start)
        engine.dispose()
    _walk(url, migrate, None if start == "empty" else start, HEAD)


def test_a_crash_at_any_statement_of_a_downgrade_leaves_the_old_schema_or_the_new(
    filled: Callable[[], Engine],
) -> None:
    url = filled().url.render_as_string(hide_password=False)
    _walk(url, lambda engine: _go_to(engine, REVISIONS[0]), HEAD, REVISIONS[0])
    engine = make_engine(url)
    migrate(engine)
    with reading(engine) as connection:
        assert revision(connection) == HEAD
    engine.dispose()


def _walk(url: str, change: Callable[[Engine], None], old: str | None, new: str) -> None:
    """Let processes die at the first statement, the second, ... until one comes to the end."""
    before = _look(url)
    assert before[0] == old
    for number in range(1, 1000):
        if _survives(url, change, number):
            break
        assert _names(url) == (old, before[1].keys()), f"died at statement {number}"
        # All rows take their time to read.
        if number % 8 == 0:
            assert _look(url) == before, f"died at statement {number}"
    assert number > 5
    assert _look(url)[0] == new
    assert _survives(url, migrate, 1000)


def _names(url: str) -> tuple[str | None, Set[str]]:
    engine = make_engine(url)
    try:
        with reading(engine) as connection:
            tables = inspect(connection).get_table_names()
            return revision(connection), set(tables) - OURS
    finally:
        engine.dispose()


def _look(url: str) -> tuple[str | None, Rows]:
    engine = make_engine(url)
    try:
        with reading(engine) as connection:
            return revision(connection), _rows(engine)
    finally:
        engine.dispose()


def _survives(url: str, change: Callable[[Engine], None], number: int) -> bool:
    """Change the database in a process of its own that dies before its statement of this number."""
    process = os.fork()
    if process == 0:
        try:
            engine = make_engine(url)
            left = number

            def count(*_: object) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    os._exit(9)

            event.listen(engine, "before_cursor_execute", count)
            event.listen(engine, "commit", count)
            change(engine)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9)
    return code == 0
