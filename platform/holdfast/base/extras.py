"""Libraries that only some users need."""

import importlib
from typing import Any

from holdfast.base.errors import HoldfastError


def import_extra(module: str, extra: str, needs: str, error: type[HoldfastError]) -> Any:
    """A library of one of Holdfast's extras.

    Args:
        needs: the beginning of the sentence that refuses: what is asked for, and that it needs the library.

    Raises:
        error: the library is not installed; the sentence ends with how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise error(f"{needs}, which is not installed: pip install 'holdfast[{extra}]'.") from missing
