from .admission import Admission, OverloadedError
from .embedder import Embedder, to_base64
from .metrics import Family, Metrics
from .outcomes import answering
from .readiness import NOTHING_LIVE
from .replica import Replica
from .shadow import Asked

__all__ = [
    "Admission",
    "Asked",
    "Embedder",
    "Family",
    "Metrics",
    "NOTHING_LIVE",
    "OverloadedError",
    "Replica",
    "answering",
    "to_base64",
]
