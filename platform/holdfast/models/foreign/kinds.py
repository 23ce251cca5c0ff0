"""Which foreign models there are."""

from typing import Annotated

from holdfast.base import Kinds
from holdfast.models.foreign.description import ForeignConfig
from holdfast.models.foreign.http import HttpConfig
from holdfast.models.foreign.onnx import OnnxConfig
from holdfast.models.foreign.timm import TimmConfig
from holdfast.models.foreign.torch import TorchConfig
from holdfast.models.foreign.transformers import TransformersConfig
from holdfast.models.foreign.vectors import VectorsConfig

BUILT_IN: tuple[type[ForeignConfig], ...] = (
    OnnxConfig,
    TorchConfig,
    TransformersConfig,
    TimmConfig,
    HttpConfig,
    VectorsConfig,
)

AnyForeignConfig = Annotated[ForeignConfig, Kinds(*BUILT_IN)]
"""A built-in kind, or one of another package."""
