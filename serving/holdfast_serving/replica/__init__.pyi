from .admission import Admission, OverloadedError
from .embedder import Embedder, to_base64
from .metrics import Family, Metrics
from .replica import Replica

__all__ = [
    "Admission",
    "Embedder",
    "Family",
    "Metrics",
    "OverloadedError",
    "Replica",
    "to_base64",
]
