"""The thing that a version is: a network with its preprocessing, from images to unit vectors."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from holdfast.base import InvalidImageError, NotEmbeddableError, Settings, StoreError, unknown_kinds
from holdfast.models.batched import Batched, batches_of
from holdfast.models.contract import Contract
from holdfast.models.following import follow_trunk
from holdfast.models.head_config import AnyHeadConfig
from holdfast.models.heads import CosFaceConfig, HeadConfig
from holdfast.models.learnable import WEIGHTS, Learnable, read_weights, write_learned
from holdfast.models.model import Modality, Purpose, RawImage
from holdfast.models.normalization import SyncedBatchNorm1d
from holdfast.models.preparation import MAX_PIXELS, Preprocessing
from holdfast.models.probes import probe_images
from holdfast.models.trunks import (
    AnyTrunk,
    TrunkConfig,
    VersionTrunkConfig,
    begin_trunk,
    build_trunk,
    describe_trunk,
    is_pretrained,
    published_trunk,
    settle_trunk,
)

DESCRIPTION = "encoder.json"
BATCH, PIXELS = 512, 2**21
"""Images, and pixels, that are embedded at a time: the feature maps of photographs would take gigabytes."""
BEGUN = 2_000
"""Images, at most, by which the layers behind a trunk that knows something begin."""


class ModelConfig(Settings):
    """The network of an experiment. `width` multiplies the channels of the trunks of Holdfast's own."""

    trunk: AnyTrunk = "conv4"
    """`conv4`, `separable`, `resnet18`; with weights `transformers:FOLDER`, `timm:NAME`, or
    `package.module:Class` of your own: alone, or as the `kind` of a mapping with its settings."""
    dimension: int = Field(128, ge=2, le=65536)
    width: float = Field(1.0, gt=0, le=16)
    preprocessing: Preprocessing = Preprocessing()
    """What is left out is the trunk's own, where it says how it wants its pixels."""
    head: AnyHeadConfig = CosFaceConfig()

    @model_validator(mode="before")
    @classmethod
    def _follows_trunk(cls, values: Any) -> Any:
        return follow_trunk(values)

    @field_validator("head")
    @classmethod
    def _fits(cls, head: HeadConfig, info: ValidationInfo) -> HeadConfig:
        if "dimension" in info.data:
            head.check_dimension(info.data["dimension"])
        return head

    @property
    def pretrained(self) -> bool:
        """Whether the trunk knows images before anything is learned here."""
        return is_pretrained(self.trunk)

    @property
    def photographic(self) -> bool:
        """Whether what it knows are photographs."""
        return self.pretrained and self.preprocessing.channels == 3

    @property
    def weights_digest(self) -> str | None:
        """Of the weights with which the trunk begins."""
        return None if isinstance(self.trunk, str) else self.trunk.digest()

    @property
    def base(self) -> VersionTrunkConfig | None:
        """The version over whose vectors a projection is learned; None for a network that reads images."""
        return self.trunk if isinstance(self.trunk, VersionTrunkConfig) else None

    @property
    def projects(self) -> bool:
        """Whether nothing below the embedding learns, so that a projection is learned over it."""
        return isinstance(self.trunk, TrunkConfig) and self.trunk.frozen

    @classmethod
    def of_base(cls, base: VersionTrunkConfig) -> Self:
        """The base itself, as a projection over it."""
        return cls(trunk=base, dimension=base.found()[1])

    def check_parent(self, parent: "ModelConfig") -> None:
        """Refuse to go on from a version with another network, where that cannot be. Raises ConfigError."""
        if self.base is not None and parent == self.of_base(self.base):
            return
        self.head.check_parent(self.dimension, parent.dimension, parent.head)


class Encoder(Learnable):
    """Trunk, linear layer, batch normalization on the embedding, a rotation, L2 norm.

    The weights are drawn from torch's global generator and laid out channels last.
    """

    reads = "pixels"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.preprocessing = config.preprocessing
        self.trunk = build_trunk(
            config.trunk, self.preprocessing.channels, self.preprocessing.size, config.width
        )
        self.config = config.model_copy(update={"trunk": published_trunk(config.trunk, self.trunk)})
        self._knows = is_pretrained(config.trunk)
        self.linear = nn.Linear(self.trunk.features, config.dimension, bias=False)
        self.norm = SyncedBatchNorm1d(config.dimension)
        self.assignment = config.head.new_matrix(config.dimension)
        # Training conv4 on a CPU is up to half faster in this format; tensor cores prefer it too.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it

    def train(self, mode: bool = True) -> Self:
        """The normalization of the embedding follows the trunk: what a task's few classes have for mean and
        spread moves every class where the trunk knows something already."""
        super().train(mode)
        self.norm.train(mode and not self.trunk.as_it_embeds)
        return self

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed pixels (b, c, s, s), uint8 or floats in [0, 1], as (b, dimension) float32 of unit norm.

        Under autocast the trunk runs in the low precision; from the linear layer on everything is float32,
        because a ranking is decided by small differences.
        """
        return self.embed_features(self.trunk(self.preprocessing.normalize(pixels)))

    def embed_features(self, features: Tensor) -> Tensor:
        """The same from what the trunk makes of them, (b, features)."""
        with torch.autocast(features.device.type, enabled=False):
            return self._write(features.float())

    def compute(self, inputs: Tensor) -> Tensor:
        return self._write(self.trunk(self.preprocessing.normalize(inputs)))

    def _write(self, features: Tensor) -> Tensor:
        return F.normalize(self.turn(self.norm(self.linear(features))))

    def begin_at(self, read: Callable[[], np.ndarray]) -> None:
        from holdfast.models.mapping import begin_at_features

        if self._knows:
            images = read()
            begin_at_features(self, images[:: -(-len(images) // BEGUN)])

    def begin(self, config: ModelConfig) -> None:
        """Make the trunk ready to learn, as `config` has it. Raises ConfigError."""
        begin_trunk(config.trunk, self.trunk)

    def settle(self) -> None:
        """What was added to the trunk for the time of learning becomes part of its weights."""
        settle_trunk(self.trunk)

    def embed(
        self, images: np.ndarray | Batched | Sequence[Image.Image | bytes], batch_size: int | None = None
    ) -> np.ndarray:
        """Embed images as a float32 array (n, dimension) of unit norm, in evaluation mode.

        `images` is a uint8 array (n, channels, size, size) that is already preprocessed, or comes in batches
        of such, or a sequence of Pillow images or encoded files. So many go through the network at a time,
        fewer where they are large unless it is said.

        Raises InvalidImageError for any other array and for whatever cannot be decoded.
        """
        if isinstance(images, np.ndarray | Batched):
            self._check(images)
        embeddings = np.empty((len(images), self.dimension), np.float32)
        device = self.linear.weight.device
        batch_size = batch_size or self.at_a_time
        was_training = self.training
        # Threads share a served encoder, which is in evaluation mode already: then nothing is switched.
        if was_training:
            self.eval()
        try:
            with torch.inference_mode():
                done = 0
                for batch in batches_of(images, batch_size):
                    if not isinstance(batch, np.ndarray):
                        batch = np.stack([self.preprocessing.pixels(image) for image in batch])
                    # torch.tensor copies: the array may be a read-only memory map.
                    output = self(torch.tensor(batch, device=device))
                    embeddings[done : done + len(output)] = output.cpu().numpy()
                    done += len(output)
        finally:
            if was_training:
                self.train()
        return embeddings

    @property
    def at_a_time(self) -> int:
        """How many images are embedded together, unless it is said."""
        return max(1, min(BATCH, PIXELS // self.preprocessing.size**2))

    def probes(self) -> np.ndarray:
        return probe_images(self.preprocessing)

    @property
    def takes(self) -> frozenset[Modality]:
        return frozenset({"image"})

    def prepare(self, image: RawImage, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        """See `Preprocessing.pixels`."""
        return self.preprocessing.pixels(image, max_pixels)

    def embed_text(self, texts: Sequence[str], purpose: Purpose | None = None) -> np.ndarray:
        raise NotEmbeddableError("A version that was trained here embeds images, and no text.")

    def check(self) -> None:
        preprocessing = self.preprocessing
        self.embed(np.zeros((1, preprocessing.channels, preprocessing.size, preprocessing.size), np.uint8))

    def contract(self) -> Contract:
        """The identity of the encoder as it is now."""
        return self._contract(self._weights())

    def save(self, folder: Path) -> Contract:
        """Write `weights.safetensors` and `encoder.json`; the same encoder gives the same bytes."""
        weights = self._weights()
        contract = self._contract(weights)
        write_learned(folder, DESCRIPTION, self.config, contract, weights)
        return contract

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, in evaluation mode. Raises StoreError naming a file that is not intact."""
        config, contract = _read_description(folder / DESCRIPTION)
        # A load must not move the random stream of a training run.
        with torch.random.fork_rng(devices=[]), _Undrawn():
            encoder = cls(config)
        try:
            read = read_weights(folder, DESCRIPTION, contract.weights_sha256)
            encoder.load_state_dict({_in_memory(name): tensor for name, tensor in read.items()})
        except (RuntimeError, safetensors.SafetensorError) as error:
            raise StoreError(
                f"{folder / WEIGHTS} does not fit the model of its {DESCRIPTION}: {error}"
            ) from error
        return encoder.eval()

    def _weights(self) -> bytes:
        state = {
            _in_file(name): tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()
        }
        return safetensors.torch.save(state)

    def _contract(self, weights: bytes) -> Contract:
        return Contract(
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            preprocessing=self.preprocessing,
            backbone=describe_trunk(self.config.trunk),
            dimension=self.dimension,
        )

    def _check(self, images: np.ndarray | Batched) -> None:
        shape = (self.preprocessing.channels, self.preprocessing.size, self.preprocessing.size)
        if images.dtype != np.uint8 or images.shape[1:] != shape or images.ndim != 4:
            raise InvalidImageError(
                f"An array of images must be uint8 of shape (n, {', '.join(map(str, shape))}), "
                f"not {images.dtype} {images.shape}; images of other sizes go in as a list of Pillow images."
            )


class _Undrawn(TorchFunctionMode):
    """Weights stay as they were allotted where they would be drawn: they are about to be read."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs.get("tensor", args[0] if args else None)
        return func(*args, **kwargs)


def _in_file(name: str) -> str:
    """The trunk's weights are written under its older name, so that contracts stay what they are."""
    return name.replace("trunk.", "backbone.", 1) if name.startswith("trunk.") else name


def _in_memory(name: str) -> str:
    return name.replace("backbone.", "trunk.", 1) if name.startswith("backbone.") else name


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error


def _as_now(config: dict[str, Any]) -> dict[str, Any]:
    """The config of an earlier Holdfast, in which the trunk had another name."""
    if "backbone" in config:
        config = {"trunk": config["backbone"], **{key: config[key] for key in config if key != "backbone"}}
    if isinstance(config.get("trunk"), str) and config["trunk"].startswith("timm:"):
        drawn = {"kind": "timm", "name": config["trunk"].removeprefix("timm:"), "weights": None}
        config = {**config, "trunk": drawn}
    return config


def _read_description(path: Path) -> tuple[ModelConfig, Contract]:
    text = _read(path)
    try:
        description = json.loads(text)
        config = ModelConfig.model_validate(_as_now(description["config"]))
        contract = Contract.model_validate(description["contract"])
        promised = description["contract_id"]
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, ValidationError) and (missing := unknown_kinds(error)):
            raise StoreError(f"{path}: {missing[0]}") from error
        raise StoreError(f"{path} is damaged or was written by another version of Holdfast.") from error
    described = (config.preprocessing, describe_trunk(config.trunk), config.dimension)
    same = described == (contract.preprocessing, contract.backbone, contract.dimension)
    if contract.id != promised or not same:
        raise StoreError(f"{path} was changed after it was written: it is not the contract {promised}.")
    return config, contract
