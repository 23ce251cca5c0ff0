from .images import READERS, ImageMover, read_image
from .mover import Moved, Mover, Stored
from .plan import Candidates, at_random, by_gain, oldest_first
from .record import Backfill, Backfills
from .rules import MAX_BATCH, MAX_PACE, MAX_WORKERS, MIN_PACE
from .sources import Sources, UnreadableError, require_sources
from .work import Write, work_on

__all__ = [
    "Backfill",
    "Backfills",
    "Candidates",
    "ImageMover",
    "MAX_BATCH",
    "MAX_PACE",
    "MAX_WORKERS",
    "MIN_PACE",
    "Moved",
    "Mover",
    "READERS",
    "Sources",
    "Stored",
    "UnreadableError",
    "Write",
    "at_random",
    "by_gain",
    "oldest_first",
    "read_image",
    "require_sources",
    "work_on",
]
