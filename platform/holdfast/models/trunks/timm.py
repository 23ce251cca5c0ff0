"""Networks of the timm library as trunks."""

from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field
from torch import Tensor

from holdfast.base import ConfigError
from holdfast.models.foreign import build_timm, find_timm_weights, load_timm_weights, read_timm
from holdfast.models.preparation import Preprocessing
from holdfast.models.trunks.pretrained import PretrainedConfig
from holdfast.models.trunks.probing import features_of
from holdfast.models.trunks.trunk import Trunk

HUB = "hub"


class TimmTrunk(PretrainedConfig):
    """Features: the pooled ones, below the classifier."""

    kind: Literal["timm"] = "timm"
    name: str
    """timm's, with the tag of the weights (`resnet50.a1_in1k`)."""
    weights: str | None = HUB
    """A file of safetensors; `hub`: those that timm has for the name; none: freshly drawn."""
    revision: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """Of the hub's weights."""

    def own_preprocessing(self) -> Preprocessing | None:
        if self.weights is None:
            return None
        return read_timm(build_timm(self.name).pretrained_cfg, f"timm:{self.name}")

    def build(self, channels: int, size: int) -> Trunk:
        named = f"timm:{self.name}"
        network = TimmNetwork(_build_for(self.name, channels, size))
        if self.weights is not None:
            file = None if self.weights == HUB else Path(self.weights)
            found = find_timm_weights(network.model, self.name, file, self.revision)
            load_timm_weights(network.model, found, self.name)
        network.features = features_of(network, channels, size, named, self.weights is not None)
        return network

    def published(self, trunk: Trunk) -> PretrainedConfig:
        return self.as_architecture(revision=None)

    def described(self) -> str:
        return f"timm:{self.name}"


class TimmNetwork(Trunk):
    """A network of timm's, without its classifier."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        answer = cast(Tensor, self.model(images))
        return answer.mean((2, 3)) if answer.ndim == 4 else answer.flatten(1)


def _build_for(name: str, channels: int, size: int) -> Any:
    """One whose positions, where it has any, are interpolated to another size than its own."""
    settings = {} if channels == 3 else {"in_chans": channels}
    network = build_timm(name, **settings)
    if getattr(network, "pretrained_cfg", {}).get("input_size", (channels, size, size))[-1] == size:
        return network
    try:
        return build_timm(name, dynamic_img_size=True, **settings)
    except ConfigError:
        # A convolutional network takes any size, and knows no such setting.
        return network
