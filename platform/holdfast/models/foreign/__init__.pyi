from .description import ForeignConfig, ForeignContract, read_description, write_description
from .kinds import AnyForeignConfig
from .loading import load_foreign
from .vectors import VectorsConfig, VectorsModel

__all__ = [
    "AnyForeignConfig",
    "ForeignConfig",
    "ForeignContract",
    "VectorsConfig",
    "VectorsModel",
    "load_foreign",
    "read_description",
    "write_description",
]
