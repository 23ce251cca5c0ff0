from .app import Application, create_app, openapi_document
from .auth import parse_keys
from .errors import error_body

__all__ = [
    "Application",
    "create_app",
    "error_body",
    "openapi_document",
    "parse_keys",
]
