from .entry import main
from .failures import INTERRUPTED, failure_of
from .verbs import app

__all__ = [
    "INTERRUPTED",
    "app",
    "failure_of",
    "main",
]
