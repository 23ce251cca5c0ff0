from .admission import Admission, OverloadedError
from .embedder import to_base64
from .metrics import Metrics
from .replica import Replica

__all__ = [
    "Admission",
    "Metrics",
    "OverloadedError",
    "Replica",
    "to_base64",
]
