from .model import OnnxConfig

__all__ = [
    "OnnxConfig",
]
