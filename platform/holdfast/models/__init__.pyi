from .codes import CodeShape, Quantizer, code_shape, decode, find_places, free_shape, orthonormal_codebooks
from .contract import Contract
from .encoder import Encoder, ModelConfig
from .exporting import Format, read_exported, write_exported
from .foreign import (
    ForeignConfig,
    ForeignContract,
    VectorsConfig,
    Wishes,
    adopt_files,
    load_foreign,
    write_description,
)
from .head_config import AnyHeadConfig
from .heads import ArcFaceConfig, CosFaceConfig, Head, HeadConfig, NormalizedSoftmaxConfig, SimplexConfig
from .identity import Identity
from .learnable import Learnable
from .loading import build_learnable, load_model
from .mapping import begin_at_vectors
from .model import Modality, Model, Purpose, RawImage
from .moving import move_to
from .opqn import OPQNConfig
from .preparation import FORMATS, MAX_PIXELS, Preprocessing, decode_image
from .probes import PROBE_TEXTS, blank_image, probe_files, probe_images
from .projections import ProjectedModel, Projection, ProjectionContract
from .soundness import find_flaw, find_vectors_flaw, find_weights_flaw
from .trunks import (
    ContinuedTrunk,
    PretrainedConfig,
    Trunk,
    TrunkConfig,
    VersionTrunkConfig,
    is_pretrained,
    load_weights,
    rate_shares,
    read_trunk,
)
from .unlearned import embed_unlearned, unlearned_encoder

__all__ = [
    "AnyHeadConfig",
    "ArcFaceConfig",
    "CodeShape",
    "ContinuedTrunk",
    "Contract",
    "CosFaceConfig",
    "Encoder",
    "FORMATS",
    "ForeignConfig",
    "ForeignContract",
    "Format",
    "Head",
    "HeadConfig",
    "Identity",
    "Learnable",
    "MAX_PIXELS",
    "Modality",
    "Model",
    "ModelConfig",
    "NormalizedSoftmaxConfig",
    "OPQNConfig",
    "PROBE_TEXTS",
    "Preprocessing",
    "PretrainedConfig",
    "ProjectedModel",
    "Projection",
    "ProjectionContract",
    "Purpose",
    "Quantizer",
    "RawImage",
    "SimplexConfig",
    "Trunk",
    "TrunkConfig",
    "VersionTrunkConfig",
    "VectorsConfig",
    "Wishes",
    "adopt_files",
    "begin_at_vectors",
    "blank_image",
    "build_learnable",
    "code_shape",
    "decode",
    "decode_image",
    "embed_unlearned",
    "unlearned_encoder",
    "find_flaw",
    "find_places",
    "find_vectors_flaw",
    "find_weights_flaw",
    "free_shape",
    "is_pretrained",
    "load_foreign",
    "load_model",
    "load_weights",
    "move_to",
    "orthonormal_codebooks",
    "probe_files",
    "probe_images",
    "rate_shares",
    "read_trunk",
    "read_exported",
    "write_description",
    "write_exported",
]
