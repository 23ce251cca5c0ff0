from .admission import Admission, OverloadedError
from .embedder import Embedder, to_base64
from .metrics import Metrics
from .replica import Replica

__all__ = [
    "Admission",
    "Embedder",
    "Metrics",
    "OverloadedError",
    "Replica",
    "to_base64",
]
