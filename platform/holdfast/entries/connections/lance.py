"""LanceDB: a folder of tables."""

from pathlib import Path
from typing import Any

from holdfast.base import ConfigError, DataError, import_extra
from holdfast.entries.connections.place import one_line, split_place


def open_lance(place: str) -> Any:
    """The table of `FOLDER/TABLE`. Raises DataError where there is none, ConfigError without lancedb."""
    where, name = split_place("lancedb", place, "FOLDER/TABLE")
    name = name.removesuffix(".lance")
    lancedb = import_extra("lancedb", "lancedb", "LanceDB needs lancedb", ConfigError)
    if "://" not in where and not Path(where).is_dir():
        raise DataError(f"There is no folder {where} of LanceDB.")
    try:
        database = lancedb.connect(where)
        known = list(database.list_tables().tables)
        if name not in known:
            raise DataError(
                f"There is no table {name!r} in {where}: it has {', '.join(sorted(known)) or 'none'}."
            )
        return database.open_table(name)
    except (ValueError, RuntimeError, OSError) as error:
        raise DataError(f"lancedb:{place}: {one_line(error)}.") from error
