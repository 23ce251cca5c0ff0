"""PostgreSQL, with or without pgvector."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from holdfast.base import ConfigError, DataError, hide_in_url, import_extra
from holdfast.entries.connections.place import one_line

if TYPE_CHECKING:
    from psycopg import Connection

_SECONDS = 10
VECTOR_TYPES = ("vector", "halfvec", "sparsevec")


class Postgres:
    """A connection to a database.

    Args:
        url: `postgresql://USER@HOST/DATABASE`; a password that is not in it comes from PGPASSWORD.

    Attributes:
        place: its name without a password.
        identity: host, port and database.
        vector_types: names of pgvector's types that there are, by their numbers.
    """

    def __init__(self, url: str) -> None:
        psycopg = import_extra("psycopg", "postgres", "PostgreSQL needs the driver psycopg", ConfigError)
        url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self.place = hide_in_url(url)
        self._error: type[Exception] = psycopg.Error
        with self.asking():
            # Nothing is prepared for later: a pooler may give each transaction another session.
            self.connection: Connection[Any] = psycopg.connect(
                url, connect_timeout=_SECONDS, prepare_threshold=None
            )
            info = self.connection.info
            self.identity = f"{info.host}:{info.port}/{info.dbname}"
            found = self.connection.execute(
                "SELECT oid, typname FROM pg_type WHERE typname = ANY(%s)", [list(VECTOR_TYPES)]
            )
            self.vector_types: dict[int, str] = dict(found.fetchall())
            self.connection.commit()

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Raises DataError with the server's words where it refuses."""
        try:
            yield
        except self._error as error:
            raise DataError(f"PostgreSQL at {self.place}: {one_line(error)}.") from error

    def type_name(self, number: int) -> str:
        """The name of a type, as SQL writes it."""
        row = self.connection.execute("SELECT format_type(%s::oid, NULL)", [number]).fetchone()
        return str(row[0]) if row else "text"
