from .cascade import WITHOUT, Cascade, Embedded, Recalled, Terms
from .gallery import Gallery
from .matrix import Pair, Verdict, compatibility_matrix
from .result import Cascaded, Outcome, RankedBy, SearchResult
from .verify_kept import verify_store

__all__ = [
    "Cascade",
    "Cascaded",
    "Embedded",
    "Gallery",
    "Outcome",
    "Pair",
    "RankedBy",
    "Recalled",
    "SearchResult",
    "Terms",
    "Verdict",
    "WITHOUT",
    "compatibility_matrix",
    "verify_store",
]
