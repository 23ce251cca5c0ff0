from .files import expand, read_text
from .listing import Encoded
from .opening import open_source
from .passed_over import named
from .source import Source
from .table import require_values, some
from .text import is_text, text_array

__all__ = [
    "Encoded",
    "Source",
    "expand",
    "is_text",
    "named",
    "open_source",
    "read_text",
    "require_values",
    "some",
    "text_array",
]
