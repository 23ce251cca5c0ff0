"""Holdfast: every new version of an embedding model searches the gallery that the older versions filled."""

from typing import TYPE_CHECKING, Any

from holdfast.store import Store, Version, open_store

if TYPE_CHECKING:
    from holdfast.models import Encoder

__all__ = ["Encoder", "Store", "Version", "open_store"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # PyTorch takes seconds to import, and listing versions or moving traffic does not need it.
    if name == "Encoder":
        from holdfast.models import Encoder

        return Encoder
    raise AttributeError(f"module 'holdfast' has no attribute {name!r}")
