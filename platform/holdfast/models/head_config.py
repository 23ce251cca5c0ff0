"""Which head an experiment may name."""

from typing import Annotated

from holdfast.base import Kinds
from holdfast.models.heads import (
    ArcFaceConfig,
    CosFaceConfig,
    HeadConfig,
    NormalizedSoftmaxConfig,
    SimplexConfig,
)
from holdfast.models.opqn import OPQNConfig

AnyHeadConfig = Annotated[
    HeadConfig, Kinds(NormalizedSoftmaxConfig, CosFaceConfig, ArcFaceConfig, SimplexConfig, OPQNConfig)
]
"""A built-in head, or one of another package."""
