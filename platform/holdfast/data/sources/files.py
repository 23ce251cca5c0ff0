"""Paths as an experiment file writes them: local or URL, with the data folder expanded."""

import os
import re

from pyarrow import fs

from holdfast.base import DataError

DEFAULT_DATA_FOLDER = "../shared/data"


def expand(path: str) -> str:
    """Expand `~` and environment variables; `$HOLDFAST_DATA` has the default `../shared/data`."""
    folder = os.environ.get("HOLDFAST_DATA") or DEFAULT_DATA_FOLDER
    path = re.sub(r"\$(HOLDFAST_DATA\b|\{HOLDFAST_DATA\})", lambda _: folder, path)
    return os.path.expanduser(os.path.expandvars(path))


def locate(path: str) -> tuple[fs.FileSystem, str]:
    """The filesystem that holds an (expanded) local path or URL, and the path on it.

    Raises:
        DataError: a scheme that pyarrow does not speak, or an empty path.
    """
    if not path:
        raise DataError("The path of the data is empty; write a local path or a URL such as s3://bucket/key.")
    if "://" not in path:
        return fs.LocalFileSystem(), os.path.abspath(path)
    try:
        filesystem, inside = fs.FileSystem.from_uri(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"Cannot open {path!r}: {_first_line(error)}. "
            "Allowed are local paths and the URLs that pyarrow opens (file, s3, gs, abfs, hdfs)."
        ) from error
    return filesystem, inside


def read_text(path: str) -> str:
    """A small UTF-8 file, local or remote. Raises DataError when it cannot be read."""
    filesystem, inside = locate(path)
    try:
        with filesystem.open_input_stream(inside) as stream:
            return str(stream.read(), "utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path!r}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read {path!r}: {_first_line(error)}.") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
