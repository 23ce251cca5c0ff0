from .cascade import WITHOUT, Cascade, Embedded, Recalled, Terms
from .cut import WHOLE, Cut, Group
from .gallery import Gallery
from .matrix import Pair, Verdict, compatibility_matrix
from .result import Cascaded, Outcome, RankedBy, SearchResult
from .verify_kept import verify_store

__all__ = [
    "Cascade",
    "Cascaded",
    "Cut",
    "Embedded",
    "Gallery",
    "Group",
    "Outcome",
    "Pair",
    "RankedBy",
    "Recalled",
    "SearchResult",
    "Terms",
    "Verdict",
    "WHOLE",
    "WITHOUT",
    "compatibility_matrix",
    "verify_store",
]
