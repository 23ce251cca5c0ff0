from .writer import EntryWriter, StoreWriter, Writer
from .writer_client import HandleWriter

__all__ = [
    "EntryWriter",
    "HandleWriter",
    "StoreWriter",
    "Writer",
]
