"""From the words that name a place to its writer."""

import importlib
from pathlib import Path

from holdfast.base import DataError, hide_in_url
from holdfast.entries.writers.writer import Target, Writer

_MODULES = {
    "parquet": "files",
    "npy": "files",
    "lancedb": "lance",
    "postgresql": "postgres",
    "qdrant": "qdrant",
    "milvus": "milvus",
}
_PLACES = (
    "a .parquet or .npy file, lancedb:FOLDER/TABLE, postgresql://USER@HOST/DATABASE with --table, "
    "qdrant:URL_OR_FOLDER/COLLECTION or milvus:URI_OR_FILE/COLLECTION"
)


def open_writer(place: str, target: Target) -> Writer:
    """The writer of a place, ready to take vectors: what is to hold them is made where it is not there.

    Raises DataError for words that name no place, one that is not there, or one that cannot hold them;
    ConfigError where a package is missing.
    """
    kind, rest = _kind_of(place)
    if (target.table is None) == (kind == "postgresql"):
        raise DataError(
            "Say with --table which table of the database holds the gallery."
            if target.table is None
            else "--table is for PostgreSQL: leave it out."
        )
    module = importlib.import_module(f"holdfast.entries.writers.{_MODULES[kind]}")
    opened: Writer = module.open_place(rest, target)
    return opened


def _kind_of(place: str) -> tuple[str, str]:
    head, colon, rest = place.partition(":")
    if head in ("postgresql", "postgres", "postgresql+psycopg") and rest.startswith("//"):
        return "postgresql", f"postgresql:{rest}"
    if colon and head in _MODULES and head != "postgresql":
        return head, rest
    suffix = Path(place).suffix.removeprefix(".")
    if suffix in ("parquet", "npy"):
        return suffix, place
    raise DataError(f"Vectors cannot be pushed to {hide_in_url(place)}: name {_PLACES}.")
