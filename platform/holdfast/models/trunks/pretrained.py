"""Networks that know something already, and how they go on learning."""

import hashlib
import json
import re
from abc import abstractmethod
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, model_validator
from torch import nn
from torch.utils.checkpoint import checkpoint

from holdfast.base import ConfigError
from holdfast.models.trunks.blocks import depths, find_blocks
from holdfast.models.trunks.config import TrunkConfig
from holdfast.models.trunks.lora import LoraConfig, add_lora, merge_lora
from holdfast.models.trunks.trunk import Trunk


def _known(train: str) -> str:
    if not re.fullmatch(r"all|lora|none|last-[1-9][0-9]*", train):
        raise ValueError(
            f"{train!r} is no way to learn; allowed are all, lora, none, and last-2 and the like"
        )
    return train


Train = Annotated[str, AfterValidator(_known)]


class PretrainedConfig(TrunkConfig):
    """Base of the configs of networks that begin with weights. Those of another package derive from it, too.

    The weights are needed to begin a run, and to go on with it; a published version has them in itself.
    """

    weights: str | None = None
    """A file, a folder or an id of the Hugging Face hub, as the kind has it."""
    train: Train = "all"
    """What of it learns: `all`; `lora`, small additions to its layers, which become part of their weights
    when the version is published; `last-N`, its last N blocks and what follows them; `none`."""
    lora: LoraConfig = LoraConfig()
    statistics: Literal["frozen", "learned"] = "frozen"
    """`frozen`: it learns as it embeds, with the statistics of its batch normalization as they are, and
    without dropout. `learned`: as while it was trained."""
    checkpointing: bool = False
    """Keep the activations at the borders of its blocks alone, and compute the others again: about a third
    slower, with a fraction of the memory."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.statistics == "learned" and self.train != "all":
            raise ValueError(f"statistics: learned goes with train: all, not with train: {self.train}")
        return self

    @property
    def frozen(self) -> bool:
        return self.train == "none"

    @abstractmethod
    def build(self, channels: int, size: int) -> Trunk:
        """The network with its weights, for (channels, size, size) images; without them where `weights` is
        None. Raises ConfigError for weights or images that do not fit."""

    def published(self, trunk: Trunk) -> TrunkConfig:
        return self.as_architecture()

    def as_architecture(self, **settings: Any) -> Self:
        """The same network without what only learning needs, and with other settings of its class."""
        defaults = {name: PretrainedConfig.model_fields[name].get_default() for name in LEARNING}
        return self.model_copy(update={**defaults, **settings})

    def described(self) -> str:
        return json.dumps(self.model_dump(mode="json", exclude=set(LEARNING)), sort_keys=True)

    def digest(self) -> str | None:
        if self.weights is None:
            return None
        # What is fetched from elsewhere is known by its name.
        return digest_of(Path(self.weights)) or self.weights

    @property
    def pretrained(self) -> bool:
        return self.weights is not None

    def begin(self, trunk: Trunk) -> None:
        trunk.as_it_embeds = self.statistics == "frozen"
        named = f"model.trunk: {self.kind}"
        if self.train == "lora":
            add_lora(trunk, self.lora, named)
        elif self.train == "none":
            trunk.requires_grad_(False)
        elif self.train != "all":
            _freeze_all_but(trunk, int(self.train.removeprefix("last-")), named)
        if self.checkpointing:
            _checkpoint_blocks(trunk, named)


LEARNING = frozenset({"weights", "train", "lora", "statistics", "checkpointing"})
"""Settings that no embedding depends on once the network has learned."""


def digest_of(place: Path) -> str | None:
    """SHA-256 of a file of weights, or of all that lie in a folder; None for what is neither."""
    files = sorted(place.glob("*.safetensors")) if place.is_dir() else [place] if place.is_file() else []
    if not files:
        return None
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def settle_trunk(trunk: nn.Module) -> None:
    """Take back what `begin` did for the time of learning, in place: the additions become part of the
    weights."""
    for block in trunk.modules():
        if _is_checkpointed(block):
            # What was set on the block itself, in front of its class's.
            del block.forward
    merge_lora(trunk)


def _freeze_all_but(trunk: Trunk, last: int, named: str) -> None:
    depth, count = depths(trunk)
    if last > count:
        blocks = "no blocks that could be told apart" if count == 0 else f"{count} blocks"
        raise ConfigError(f"{named} with train: last-{last} has {blocks}: choose fewer, or train: all.")
    for name, parameter in trunk.named_parameters():
        if depth[name] <= count - last:
            parameter.requires_grad_(False)


def _is_checkpointed(block: nn.Module) -> bool:
    own = vars(block).get("forward")
    return isinstance(own, partial) and own.func is checkpoint


def _checkpoint_blocks(trunk: Trunk, named: str) -> None:
    blocks = find_blocks(trunk)
    if not blocks:
        raise ConfigError(f"{named} with checkpointing: true has no blocks that could be told apart.")
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def rate_shares(trunk: nn.Module, decay: float) -> dict[nn.Parameter, float]:
    """By how much each weight of a trunk learns slower than its last block: `decay` a block between."""
    depth, count = depths(trunk)
    return {each: decay ** (count - min(depth[name], count)) for name, each in trunk.named_parameters()}
