from .gallery import Gallery, SearchResult, Stats
from .verify_kept import verify_store

__all__ = [
    "Gallery",
    "SearchResult",
    "Stats",
    "verify_store",
]
