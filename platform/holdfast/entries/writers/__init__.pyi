from .opening import open_writer
from .writer import Target, Writer

__all__ = ["Target", "Writer", "open_writer"]
