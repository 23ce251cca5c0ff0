from .averaging import Average
from .optimizer import build_optimizer

__all__ = [
    "Average",
    "build_optimizer",
]
