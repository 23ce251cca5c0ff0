from .backbones import Backbone
from .codebooks import CodeShape, code_shape, orthonormal_codebooks
from .contract import Contract
from .encoder import Encoder, ModelConfig
from .exporting import Format, read_exported, write_exported
from .head_config import AnyHeadConfig
from .heads import ArcFaceConfig, CosFaceConfig, Head, HeadConfig, NormalizedSoftmaxConfig, SimplexConfig
from .opening import FORMATS, MAX_PIXELS, decode_image
from .opqn import OPQNConfig
from .preprocessing import Preprocessing
from .quantizer import Quantizer, decode
from .soundness import find_flaw, find_vectors_flaw, find_weights_flaw, probe_images
from .trunks import TrunkConfig

__all__ = [
    "AnyHeadConfig",
    "ArcFaceConfig",
    "Backbone",
    "CodeShape",
    "Contract",
    "CosFaceConfig",
    "Encoder",
    "FORMATS",
    "Format",
    "Head",
    "HeadConfig",
    "MAX_PIXELS",
    "ModelConfig",
    "NormalizedSoftmaxConfig",
    "OPQNConfig",
    "Preprocessing",
    "Quantizer",
    "SimplexConfig",
    "TrunkConfig",
    "code_shape",
    "decode",
    "decode_image",
    "find_flaw",
    "find_vectors_flaw",
    "find_weights_flaw",
    "orthonormal_codebooks",
    "probe_images",
    "read_exported",
    "write_exported",
]
