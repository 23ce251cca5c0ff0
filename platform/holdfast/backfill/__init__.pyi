from .images import READERS, ImageMover
from .mover import AdapterMover, Moved, Mover, Stored, Write, run_backfill
from .sources import Sources, require_sources

__all__ = [
    "AdapterMover",
    "ImageMover",
    "Moved",
    "Mover",
    "READERS",
    "Sources",
    "Stored",
    "Write",
    "require_sources",
    "run_backfill",
]
