from .ports import free_port
from .server import serve_forever

__all__ = [
    "free_port",
    "serve_forever",
]
