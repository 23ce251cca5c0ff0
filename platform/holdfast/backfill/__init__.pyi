from .cascade_config import MAX_CANDIDATES, CascadeConfig
from .images import READERS, ImageMover, read_image
from .keeping import Keeping
from .mover import Moved, Mover, Stored
from .on_read import Eye, ModelCascade, OnRead
from .plan import Candidates, at_random, by_gain, oldest_first
from .pricing import Gain, Price, price
from .pushing import Pushed, push
from .record import Backfill, Backfills
from .rules import MAX_BATCH, MAX_PACE, MAX_WORKERS, MIN_PACE, check_kind
from .sources import Sources, UnreadableError, require_sources
from .work import Write, work_on

__all__ = [
    "Backfill",
    "Backfills",
    "Candidates",
    "CascadeConfig",
    "Eye",
    "Gain",
    "ImageMover",
    "Keeping",
    "MAX_BATCH",
    "MAX_CANDIDATES",
    "MAX_PACE",
    "MAX_WORKERS",
    "MIN_PACE",
    "ModelCascade",
    "Moved",
    "Mover",
    "OnRead",
    "Price",
    "Pushed",
    "READERS",
    "Sources",
    "Stored",
    "UnreadableError",
    "Write",
    "at_random",
    "by_gain",
    "check_kind",
    "oldest_first",
    "price",
    "push",
    "read_image",
    "require_sources",
    "work_on",
]
