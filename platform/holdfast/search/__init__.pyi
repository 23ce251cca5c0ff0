from .cascade import WITHOUT, Cascade, Embedded, Recalled, Terms
from .gallery import Gallery
from .result import Cascaded, Outcome, RankedBy, SearchResult
from .verify_kept import verify_store

__all__ = [
    "Cascade",
    "Cascaded",
    "Embedded",
    "Gallery",
    "Outcome",
    "RankedBy",
    "Recalled",
    "SearchResult",
    "Terms",
    "WITHOUT",
    "verify_store",
]
