"""Holdfast: every new version of an embedding model searches the gallery that the older versions filled."""

from holdfast.models import Encoder
from holdfast.store import Store, Version, open_store

__all__ = ["Encoder", "Store", "Version", "open_store"]
__version__ = "0.1.0"
