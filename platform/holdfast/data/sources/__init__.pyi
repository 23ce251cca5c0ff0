from .files import expand, read_text
from .listing import Block, Encoded, VectorListing
from .opening import open_any, open_source
from .originals import Layout, Originals
from .passed_over import PassedOver, named
from .source import Source, VectorSource
from .table import require_values, some
from .text import is_text, text_array

__all__ = [
    "Block",
    "Encoded",
    "Layout",
    "Originals",
    "PassedOver",
    "Source",
    "VectorListing",
    "VectorSource",
    "expand",
    "is_text",
    "named",
    "open_any",
    "open_source",
    "read_text",
    "require_values",
    "some",
    "text_array",
]
