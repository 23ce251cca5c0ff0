"""Milvus: a server, or a file of milvus-lite."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from holdfast.base import ConfigError, DataError, MilvusRelease, hide_in_url, import_extra, milvus_release
from holdfast.entries.connections.place import one_line, split_place

TOKEN = "MILVUS_TOKEN"
STRONG = "Strong"
"""The consistency level at which all is seen that was written before; by default that takes seconds."""
_SECONDS = 10


class MilvusPlace:
    """A collection.

    Attributes:
        place: its name without a token. client: of pymilvus.
        fields: what the server says of each field, by its name; key: the field of the primary key.
        dynamic: whether its rows may have fields that nobody declared.
        release: of the server; None of a file.
    """

    def __init__(
        self,
        client: Any,
        where: str,
        name: str,
        errors: tuple[type[Exception], ...],
        release: MilvusRelease | None = None,
    ) -> None:
        self.client, self.name, self._errors, self.release = client, name, errors, release
        self._where = where
        self.place = f"milvus:{hide_in_url(where)}/{name}"
        with self.asking():
            if not client.has_collection(name):
                known = ", ".join(client.list_collections()) or "none"
                raise DataError(f"There is no collection {name!r} in {hide_in_url(where)}: it has {known}.")
        self.refresh()

    def refresh(self) -> None:
        with self.asking():
            found = self.client.describe_collection(self.name)
        self.fields: Mapping[str, Mapping[str, Any]] = {each["name"]: each for each in found["fields"]}
        self.key = next(name for name, each in self.fields.items() if each.get("is_primary"))
        self.dynamic = bool(found.get("enable_dynamic_field"))

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Raises DataError with the server's words where it fails."""
        with _quiet():
            try:
                yield
            except self._errors as error:
                said = getattr(error, "message", None) or one_line(error)
                raise DataError(f"{self.place}: {str(said)[:300].rstrip('.')}.") from error

    def close(self) -> None:
        """The server of a file goes as well."""
        self.client.close()
        if "://" not in self._where:
            from milvus_lite.server_manager import server_manager_instance

            server_manager_instance.release_server(self._where)


def open_milvus(place: str) -> MilvusPlace:
    """`URI_OR_FILE/COLLECTION`; the token of a server comes from MILVUS_TOKEN.

    Raises DataError where there is none, or one of a release that is too old; ConfigError where pymilvus is
    missing.
    """
    where, name = split_place("milvus", place, "URI_OR_FILE/COLLECTION")
    pymilvus = import_extra("pymilvus", "milvus", "Milvus needs pymilvus", ConfigError)
    if "://" not in where and not (where.endswith(".db") and Path(where).exists()):
        raise DataError(
            f"There is no file {where} of milvus-lite: it ends in .db; a server is an URL, http://..."
        )
    try:
        with _quiet():
            client = pymilvus.MilvusClient(where, token=os.environ.get(TOKEN, ""), timeout=_SECONDS)
            release = None
            if "://" in where:
                release = milvus_release(str(client.get_server_version(timeout=_SECONDS)))
    except pymilvus.MilvusException as error:
        raise DataError(f"milvus:{hide_in_url(where)}/{name}: {error.message.rstrip('.')}.") from error
    except ValueError as error:
        raise DataError(f"milvus:{hide_in_url(where)}/{name} cannot be used: {error}.") from error
    # What a server does not know of at all is gRPC's error.
    errors = (pymilvus.MilvusException, import_module("grpc").RpcError)
    return MilvusPlace(client, where, name, errors, release)


@contextmanager
def _quiet() -> Iterator[None]:
    """pymilvus logs a traceback of whatever it raises."""
    logger = logging.getLogger("pymilvus")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
