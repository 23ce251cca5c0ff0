from .app import create_app
from .auth import parse_keys
from .errors import error_body

__all__ = [
    "create_app",
    "error_body",
    "parse_keys",
]
