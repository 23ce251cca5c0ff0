from .config import ServingConfig
from .launch import serve_forever

__all__ = [
    "ServingConfig",
    "serve_forever",
]
