from .answers import Answers
from .description import ForeignConfig, ForeignContract, read_description, write_description
from .http import HttpConfig, HttpModel, probe
from .kinds import AnyForeignConfig
from .loading import load_foreign
from .vectors import VectorsConfig, VectorsModel

__all__ = [
    "Answers",
    "AnyForeignConfig",
    "ForeignConfig",
    "ForeignContract",
    "HttpConfig",
    "HttpModel",
    "VectorsConfig",
    "VectorsModel",
    "load_foreign",
    "probe",
    "read_description",
    "write_description",
]
