"""A process that dies at each statement of the migrations."""

import os
import traceback
from collections.abc import Set

from sqlalchemy import MetaData, event, inspect

from holdfast.store import open_store
from holdfast.store.database.engine import make_engine, reading
from holdfast.store.database.migration import HEAD, migrate, revision

OURS = {"alembic_version", "schema_history"}


def test_a_crash_at_any_statement_leaves_no_schema_or_the_whole(location: tuple[str, str]) -> None:
    with open_store(*location) as store:
        url = store.engine.url.render_as_string(hide_password=False)
    with make_engine(url).begin() as connection:
        found = MetaData()
        found.reflect(connection)
        found.drop_all(connection)
    before = _names(url)
    assert before[0] is None
    for number in range(1, 1000):
        if _survives(url, number):
            break
        assert _names(url) == before, f"died at statement {number}"
    assert number > 5
    assert _names(url)[0] == HEAD
    assert _survives(url, 1000)


def _names(url: str) -> tuple[str | None, Set[str]]:
    engine = make_engine(url)
    try:
        with reading(engine) as connection:
            tables = inspect(connection).get_table_names()
            return revision(connection), set(tables) - OURS
    finally:
        engine.dispose()


def _survives(url: str, number: int) -> bool:
    """Migrate the database in a process of its own that dies before its statement of this number."""
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
            migrate(engine)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9)
    return code == 0
