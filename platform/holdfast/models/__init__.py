"""Encoders: images in, unit vectors out, with everything that decides what the vectors are."""

from holdfast.models.codebooks import CodeShape, code_shape, orthonormal_codebooks
from holdfast.models.contract import Contract
from holdfast.models.encoder import Encoder, ModelConfig
from holdfast.models.head_config import AnyHeadConfig
from holdfast.models.heads import (
    ArcFaceConfig,
    CosFaceConfig,
    Head,
    HeadConfig,
    NormalizedSoftmaxConfig,
    SimplexConfig,
)
from holdfast.models.opqn import OPQNConfig, OrthonormalHead
from holdfast.models.preprocessing import Preprocessing
from holdfast.models.quantizer import Quantizer
from holdfast.models.soundness import find_flaw, find_vectors_flaw, find_weights_flaw, probe_images

__all__ = [
    "AnyHeadConfig",
    "ArcFaceConfig",
    "CodeShape",
    "Contract",
    "CosFaceConfig",
    "Encoder",
    "Head",
    "HeadConfig",
    "ModelConfig",
    "NormalizedSoftmaxConfig",
    "OPQNConfig",
    "OrthonormalHead",
    "Preprocessing",
    "Quantizer",
    "SimplexConfig",
    "code_shape",
    "find_flaw",
    "find_vectors_flaw",
    "find_weights_flaw",
    "orthonormal_codebooks",
    "probe_images",
]
