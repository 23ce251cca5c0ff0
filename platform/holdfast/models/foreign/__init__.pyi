from .adopting import adopt_files
from .answers import Answers
from .description import ForeignConfig, ForeignContract, read_description, write_description
from .http import HttpConfig, HttpModel, probe
from .kinds import AnyForeignConfig
from .loading import load_foreign
from .network import FileConfig, FileModel, Network
from .onnx import OnnxConfig
from .vectors import VectorsConfig, VectorsModel
from .wishes import Wishes

__all__ = [
    "Answers",
    "AnyForeignConfig",
    "FileConfig",
    "FileModel",
    "ForeignConfig",
    "ForeignContract",
    "HttpConfig",
    "HttpModel",
    "Network",
    "OnnxConfig",
    "VectorsConfig",
    "VectorsModel",
    "Wishes",
    "adopt_files",
    "load_foreign",
    "probe",
    "read_description",
    "write_description",
]
