"""Networks of the transformers library as trunks: a folder that it saved, or an id of its hub."""

import json
from inspect import signature
from typing import Any, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from holdfast.base import ConfigError
from holdfast.models.foreign import (
    MODEL_FILES,
    Feature,
    ImageInput,
    choose_feature,
    fetch,
    find_processor,
    image_feature,
    load_transformers,
    make_transformers,
    read_preprocessing,
)
from holdfast.models.preparation import Preprocessing
from holdfast.models.trunks.pretrained import PretrainedConfig
from holdfast.models.trunks.probing import features_of, require_patches
from holdfast.models.trunks.trunk import Trunk

_FORGOTTEN = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version")
"""Settings of a model's that say where it comes from, and not what it is."""


class TransformersTrunk(PretrainedConfig):
    """Features: what `holdfast adopt` takes as the embedding of such a model."""

    kind: Literal["transformers"] = "transformers"
    revision: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """Of the hub's model."""
    output: Feature | None = None
    """`projection`, `pooler_output`, `cls` or `mean`; none: the first that the model has."""
    architecture: dict[str, Any] | None = Field(default=None, exclude_if=lambda value: value is None)
    """The model's own config; known of a published version, which needs no folder."""
    without: tuple[str, ...] = Field(default=(), exclude_if=lambda value: value == ())
    """Parts of the model that embed no image, such as a text tower."""

    def own_preprocessing(self) -> Preprocessing | None:
        if self.weights is None:
            return None
        folder = fetch(self.weights, self.revision, MODEL_FILES)
        file = find_processor(folder)
        if file is None:
            raise ConfigError(
                f"How {self.weights} wants its pixels, it does not say: give all of model.preprocessing "
                "(size, channels, fit, mean, std)."
            )
        config = json.loads((folder / "config.json").read_text())
        channels = config.get("vision_config", config).get("num_channels", 3)
        given = ImageInput("NCHW", None, channels, (None, None), False)
        return read_preprocessing(file, given, None, self.weights)

    def build(self, channels: int, size: int) -> Trunk:
        if self.architecture is not None:
            named = f"model.trunk: {self.architecture['model_type']}"
            made = make_transformers(self.architecture, named)
            network = TransformersNetwork(made, cast(Feature, self.output), size, self.without)
            network.features = features_of(network, channels, size, named, known=False)
            return network
        if self.weights is None:
            raise ConfigError("model.trunk: transformers needs weights: a folder, or an id of the hub.")
        folder = fetch(self.weights, self.revision, MODEL_FILES)
        model, missing = load_transformers(folder, self.weights)
        output = choose_feature(model, missing, self.output, self.weights)
        vision = getattr(model.config, "vision_config", model.config)
        if getattr(vision, "num_channels", 3) != channels:
            raise ConfigError(
                f"{self.weights} takes images of {vision.num_channels} channels; model.preprocessing makes "
                f"{channels}."
            )
        require_patches(size, getattr(vision, "patch_size", None), self.weights)
        network = TransformersNetwork(model, output, size)
        network.features = features_of(network, channels, size, self.weights, known=True)
        network.leave_out_unused(channels, size)
        return network

    def published(self, trunk: Trunk) -> PretrainedConfig:
        assert isinstance(trunk, TransformersNetwork)
        config = trunk.model.config.to_dict()
        architecture = {key: value for key, value in config.items() if key not in _FORGOTTEN}
        return self.as_architecture(
            revision=None,
            output=trunk.output,
            architecture=json.loads(json.dumps(architecture)),
            without=trunk.without,
        )


class TransformersNetwork(Trunk):
    """The images' part of a model.

    Attributes:
        without: names of parts that are left out.
    """

    def __init__(self, model: Any, output: Feature, size: int, without: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.model, self.output, self.without = model, output, without
        for name in without:
            setattr(model, name, None)
        vision = getattr(model.config, "vision_config", model.config)
        native = getattr(vision, "image_size", size)
        ask = model.get_image_features if output == "projection" else model.forward
        # Positions were learned for one size; for another they are interpolated.
        interpolates = native != size and "interpolate_pos_encoding" in signature(ask).parameters
        self._settings = {"interpolate_pos_encoding": True} if interpolates else {}

    def forward(self, images: Tensor) -> Tensor:
        answer = image_feature(self.model, images, self.output, **self._settings)
        return answer.mean((2, 3)) if answer.ndim == 4 else answer

    def leave_out_unused(self, channels: int, size: int) -> None:
        """Drop the parts that were not run for an image; what was run and not heeded is frozen."""
        run: set[nn.Module] = set()
        handles = [
            each.register_forward_pre_hook(lambda module, _: run.add(module)) for each in self.model.modules()
        ]
        self(torch.zeros(1, channels, size, size)).sum().backward()
        for handle in handles:
            handle.remove()
        heeded = {parameter for parameter in self.model.parameters() if parameter.grad is not None}
        for name, child in list(self.model.named_children()):
            if not run & set(child.modules()) and not heeded & set(child.parameters()):
                setattr(self.model, name, None)
                self.without = (*self.without, name)
        for parameter in self.model.parameters():
            parameter.requires_grad_(parameter in heeded)
            parameter.grad = None
