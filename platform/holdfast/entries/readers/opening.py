"""From the words that name a place to its reader."""

import importlib
from collections.abc import Callable
from pathlib import Path

from holdfast.base import DataError, hide_in_url
from holdfast.entries.readers.layout import Layout
from holdfast.entries.readers.reader import Reader

Open = Callable[[str, Layout], Reader]

_MODULES = {
    "parquet": "tables",
    "arrow": "tables",
    "npy": "arrays",
    "faiss": "faiss",
    "lancedb": "lance",
    "postgresql": "postgres",
    "qdrant": "qdrant",
    "milvus": "milvus",
}
_SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".npy": "npy",
    ".faiss": "faiss",
    ".index": "faiss",
}
_PLACES = (
    "a Parquet, Arrow or Feather file or a folder of them, an .npy file, a FAISS index (faiss:FILE), "
    "lancedb:FOLDER/TABLE, postgresql://USER@HOST/DATABASE, qdrant:URL_OR_FOLDER/COLLECTION or "
    "milvus:URI_OR_FILE/COLLECTION"
)


def open_reader(origin: str, layout: Layout) -> Reader:
    """The reader of a place: a file or a folder, `KIND:PLACE`, or `postgresql://...`.

    Raises DataError for words that name no place, one that is not there or cannot be read, and for what the
    layout says of it that cannot be; ConfigError where a package is missing.
    """
    kind, place = _kind_of(origin)
    _refuse_foreign_options(kind, layout)
    # Each needs libraries that only its own users have.
    module = importlib.import_module(f"holdfast.entries.readers.{_MODULES[kind]}")
    opened: Reader = module.open_place(place, layout)
    return opened


def _kind_of(origin: str) -> tuple[str, str]:
    head, colon, rest = origin.partition(":")
    if head in ("postgresql", "postgres", "postgresql+psycopg") and rest.startswith("//"):
        return "postgresql", f"postgresql:{rest}"
    if colon and head in _MODULES and head != "postgresql":
        return head, rest
    path = Path(origin)
    if path.suffix in _SUFFIXES:
        return _SUFFIXES[path.suffix], origin
    if path.suffix == ".lance":
        raise DataError(
            f"{origin} is a table of LanceDB: name it lancedb:{path.parent}/{path.stem}, which is "
            "lancedb:FOLDER/TABLE."
        )
    if path.is_dir():
        return "parquet", origin
    if path.exists():
        raise DataError(f"{origin} may be anything: write parquet:, arrow:, npy: or faiss: in front of it.")
    raise DataError(f"There is no {hide_in_url(origin)}: name {_PLACES}.")


def _refuse_foreign_options(kind: str, layout: Layout) -> None:
    """An option that this kind of place knows nothing of is a mistake, not nothing."""
    if (layout.table or layout.query) and kind != "postgresql":
        raise DataError("--table and --query are for PostgreSQL: leave them out.")
    if (layout.ids or layout.row_numbers) and kind not in ("npy", "faiss"):
        raise DataError(
            "--ids and --row-numbers are for .npy files and FAISS indexes: name the column of the ids with "
            "--id."
        )
