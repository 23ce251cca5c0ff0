"""What requests may be given in Python, and how it becomes JSON."""

import base64
from collections.abc import Mapping, Sequence
from enum import Enum
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import orjson


class Unset(Enum):
    """Left out; null is another thing."""

    UNSET = "unset"


UNSET: Literal[Unset.UNSET] = Unset.UNSET
Image: TypeAlias = str | bytes | PathLike[str]
"""A data URI or base64 as text; the bytes of a file; or a file's path."""
Vector: TypeAlias = Sequence[float] | np.ndarray


def to_json(content: Any) -> bytes:
    """The JSON of a body, with images and arrays in it.

    Raises TypeError for what JSON cannot say, and OSError for an image's file that cannot be read.
    """
    return orjson.dumps(content, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was left out."""
    return {name: value for name, value in fields.items() if value is not UNSET}


def _plain(value: Any) -> Any:
    match value:
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode("ascii")
        case PathLike():
            return base64.b64encode(Path(value).read_bytes()).decode("ascii")
        case np.ndarray() | np.generic():  # of a kind or an order that orjson does not write
            return value.tolist()
        case Mapping():
            return dict(value)
        case Sequence():
            return list(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
