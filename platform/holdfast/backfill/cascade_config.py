"""What cascades may spend."""

from pydantic import Field

from holdfast.base import Settings

MAX_CANDIDATES = 1000


class CascadeConfig(Settings):
    """What a search may spend on the images of entries that other versions embedded."""

    candidates: int = Field(default=50, ge=1, le=MAX_CANDIDATES)
    """Entries that are recalled and ranked by their images; as many as the versions were measured with, if
    these are more."""
    always: bool = False
    """Whether also where the versions meet well enough as they are, or through their adapter."""
    images: int = Field(default=50, ge=0, le=MAX_CANDIDATES)
    """Images that are embedded for one search at most."""
    seconds: float = Field(default=1.0, gt=0, le=60)
    """How long one search waits for images at most."""
    readers: int = Field(default=8, ge=1, le=64)
    """Images of all searches that are read and embedded at a time."""
    cached: int = Field(default=10_000, ge=0)
    """Vectors that stay in memory, for where they may not be written to the gallery."""
    keep: bool = True
    """Whether they are written to the gallery, where nobody loses sight of the entries by that."""
    waiting: int = Field(default=10_000, ge=1)
    """Vectors that wait to be written at most."""
