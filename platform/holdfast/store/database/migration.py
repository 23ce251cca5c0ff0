"""Bring a database to the schema of this Holdfast, or say which Holdfast it needs."""

from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, inspect, text

from holdfast.base import StoreError, hide_in_url
from holdfast.store.database.engine import lock_for_migration, reading, use_write_ahead_log, writing
from holdfast.store.database.schema import metadata, schema_history

HEAD = "0013"  # the newest file in migrations/versions; a test compares the two
SCRIPTS = Path(__file__).parent / "migrations"


def migrate(engine: Engine) -> None:
    """Create or upgrade the tables; quick when there is nothing to do.

    Any number of processes may do so at once: one migrates, the others wait and find it done. A migration is
    one transaction, so a crash leaves the schema as it was. Raises StoreError for a schema that
    is newer, or older than any that was released.
    """
    use_write_ahead_log(engine)
    with reading(engine) as connection:
        if revision(connection) == HEAD:
            return
    with writing(engine) as connection:
        lock_for_migration(connection)
        found = revision(connection)
        if found == HEAD:
            return
        _refuse_unknown(connection, found)
        _upgrade(connection)


class OlderSchemaError(StoreError):
    """A database that the next command migrates."""

    code = "older_schema"


def require_current(engine: Engine) -> None:
    """Raises StoreError for a database that `migrate` would refuse or fill, OlderSchemaError for one that it
    would upgrade. Changes nothing."""
    with reading(engine) as connection:
        found = revision(connection)
        _refuse_unknown(connection, found)
    where = hide_in_url(engine.url.render_as_string())
    if found is None:
        raise StoreError(f"{where} is empty: the first run or import makes a store of it.")
    if found != HEAD:
        raise OlderSchemaError(
            f"{where} has schema {found}, and the next command brings it to {HEAD}, after which an older "
            "Holdfast refuses it: make a backup first."
        )


def revision(connection: Connection) -> str | None:
    """The revision of the database, None when it is empty. Raises StoreError for somebody else's database."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" not in tables:
        if set(tables) & set(metadata.tables):
            where = hide_in_url(connection.engine.url.render_as_string())
            raise StoreError(f"{where} holds tables that Holdfast did not make: give an empty database.")
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _refuse_unknown(connection: Connection, found: str | None) -> None:
    known = {path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py")}
    if found is None or found in known:
        return
    where = hide_in_url(connection.engine.url.render_as_string())
    if found < min(known):
        raise StoreError(
            f"{where} has schema {found}, of a Holdfast before the first release, which is no longer read: "
            "name another store, run the experiments again, and import the entries."
        )
    maker = connection.execute(
        text("SELECT holdfast FROM schema_history WHERE revision = :revision ORDER BY id DESC"),
        {"revision": found},
    ).scalar()
    raise StoreError(
        f"{where} has schema {found}, newer than schema {HEAD} of this Holdfast "
        f"({installed_version('holdfast')}): use Holdfast {maker or 'of the version that made it'} or newer."
    )


def _upgrade(connection: Connection) -> None:
    # Only a database that is behind pays for this import.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.execute(
        insert(schema_history).values(
            revision=HEAD, holdfast=installed_version("holdfast"), applied_at=datetime.now(UTC)
        )
    )
