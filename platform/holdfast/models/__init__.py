"""Encoders: images in, unit vectors out, with everything that decides what the vectors are."""

from holdfast.models.contract import Contract
from holdfast.models.encoder import Encoder, ModelConfig
from holdfast.models.heads import (
    ArcFaceConfig,
    CosFaceConfig,
    Head,
    HeadConfig,
    NormalizedSoftmaxConfig,
    SimplexConfig,
)
from holdfast.models.preprocessing import Preprocessing

__all__ = [
    "ArcFaceConfig",
    "Contract",
    "CosFaceConfig",
    "Encoder",
    "Head",
    "HeadConfig",
    "ModelConfig",
    "NormalizedSoftmaxConfig",
    "Preprocessing",
    "SimplexConfig",
]
