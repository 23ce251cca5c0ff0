from .models import Encoder
from .store import Store, Version, open_store

__all__ = [
    "Encoder",
    "Store",
    "Version",
    "open_store",
]
__version__: str
