from .builder import application
from .ports import free_port
from .server import serve_forever

__all__ = [
    "application",
    "free_port",
    "serve_forever",
]
