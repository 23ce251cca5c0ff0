from .gallery import Gallery, SearchResult
from .verify_kept import verify_store

__all__ = [
    "Gallery",
    "SearchResult",
    "verify_store",
]
