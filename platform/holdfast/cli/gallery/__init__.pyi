from .verbs import gallery

__all__ = ["gallery"]
