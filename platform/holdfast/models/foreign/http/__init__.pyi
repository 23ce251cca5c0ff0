from .config import BodyName, HttpConfig
from .model import HttpModel
from .probing import probe

__all__ = [
    "BodyName",
    "HttpConfig",
    "HttpModel",
    "probe",
]
