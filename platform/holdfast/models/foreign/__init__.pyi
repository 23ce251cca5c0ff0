from .adopting import adopt_files
from .answers import Answers
from .description import ForeignConfig, ForeignContract, read_description, write_description
from .http import HttpConfig, HttpModel, probe
from .hub import fetch
from .kinds import AnyForeignConfig
from .loading import load_foreign
from .network import FileConfig, FileModel, Network
from .onnx import OnnxConfig
from .reading import read_preprocessing, read_timm
from .signature import ImageInput
from .timm import build_timm, find_timm_weights, load_timm_weights
from .transformers import (
    MODEL_FILES,
    Feature,
    choose_feature,
    find_processor,
    image_feature,
    load_transformers,
    make_transformers,
)
from .vectors import VectorsConfig, VectorsModel
from .wishes import Wishes

__all__ = [
    "Answers",
    "AnyForeignConfig",
    "Feature",
    "FileConfig",
    "FileModel",
    "ForeignConfig",
    "ForeignContract",
    "HttpConfig",
    "HttpModel",
    "ImageInput",
    "MODEL_FILES",
    "Network",
    "OnnxConfig",
    "VectorsConfig",
    "VectorsModel",
    "Wishes",
    "adopt_files",
    "build_timm",
    "choose_feature",
    "fetch",
    "find_processor",
    "find_timm_weights",
    "image_feature",
    "load_foreign",
    "load_timm_weights",
    "load_transformers",
    "make_transformers",
    "probe",
    "read_description",
    "read_preprocessing",
    "read_timm",
    "write_description",
]
