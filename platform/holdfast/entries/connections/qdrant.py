"""Qdrant: a server, or a folder of its client's local mode."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from holdfast.base import ConfigError, DataError, hide_in_url, import_extra
from holdfast.entries.connections.place import one_line, split_place

KEY = "QDRANT_API_KEY"
_SECONDS = 30


class QdrantPlace:
    """A collection.

    Attributes:
        place: its name without a key. client: of qdrant-client.
        vectors: parameters of its dense vectors by name; the one without a name is ''.
    """

    def __init__(self, client: Any, where: str, name: str) -> None:
        self.client, self.name = client, name
        self.place = f"qdrant:{hide_in_url(where)}/{name}"
        with self.asking():
            if not client.collection_exists(name):
                known = ", ".join(each.name for each in client.get_collections().collections) or "none"
                raise DataError(f"There is no collection {name!r} in {hide_in_url(where)}: it has {known}.")
        self.refresh()

    def refresh(self) -> None:
        with self.asking():
            found = self.client.get_collection(self.name).config.params.vectors or {}
        self.vectors: Mapping[str, Any] = found if isinstance(found, Mapping) else {"": found}

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Raises DataError with the words of the server, or of the network, where it fails."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except DataError:
            raise
        except Exception as error:
            # The client raises ValueError, RuntimeError, httpx's and its own, with nothing in common.
            raise DataError(f"{self.place}: {one_line(error)}.") from error

    def close(self) -> None:
        self.client.close()


def open_qdrant(place: str) -> QdrantPlace:
    """`URL_OR_FOLDER/COLLECTION`; the key of a server comes from QDRANT_API_KEY.

    Raises DataError where there is none, ConfigError where qdrant-client is missing.
    """
    where, name = split_place("qdrant", place, "URL_OR_FOLDER/COLLECTION")
    module = import_extra("qdrant_client", "qdrant", "Qdrant needs qdrant-client", ConfigError)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if "://" in where:
                client = module.QdrantClient(
                    url=where, api_key=os.environ.get(KEY), timeout=_SECONDS, check_compatibility=False
                )
            elif not (Path(where) / "meta.json").is_file():
                raise DataError(
                    f"{where} is no folder of Qdrant's local mode: a server is an URL, http://..."
                )
            else:
                client = module.QdrantClient(path=where)
    except RuntimeError as error:
        raise DataError(f"qdrant:{hide_in_url(where)}/{name}: {one_line(error)}.") from error
    return QdrantPlace(client, where, name)
