"""Which store this is, by whatever name its database is reached, and where its files lie."""

from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import Connection, Engine, inspect, select, update

from holdfast.store.database import identity, insert_missing, reading, writing

ROW = 1


@dataclass(frozen=True)
class Identity:
    """Made once for a database; a restored copy has the same.

    Attributes:
        store: 32 random hex digits.
        artifacts: a folder or URI, None before anybody has said where the files go.
    """

    store: str
    artifacts: str | None


def recorded(engine: Engine) -> Identity | None:
    """What the database knows of itself; None for one that is empty, or of an older schema."""
    with reading(engine) as connection:
        if identity.name not in inspect(connection).get_table_names():
            return None
        return _found(connection)


def identify(engine: Engine) -> Identity:
    """The identity of a migrated database, made now if it has none; many processes may ask at once."""
    with reading(engine) as connection:
        found = _found(connection)
    if found is not None:
        return found
    with writing(engine) as connection:
        insert_missing(connection, identity, "row", {"row": ROW, "store": uuid4().hex, "artifacts": None})
        made = _found(connection)
    assert made is not None
    return made


def record_artifacts(engine: Engine, artifacts: str | None) -> None:
    """From now on whoever names no place finds the files there; None for where they lie by themselves."""
    with writing(engine) as connection:
        connection.execute(update(identity).where(identity.c.row == ROW).values(artifacts=artifacts))


def _found(connection: Connection) -> Identity | None:
    row = connection.execute(select(identity.c.store, identity.c.artifacts)).first()
    return None if row is None else Identity(row.store, row.artifacts)
