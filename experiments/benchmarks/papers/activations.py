"""What the lower blocks of networks make of images, once, and kept as bytes."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from experiments.benchmarks.papers.tail import LEVELS, Tail, inputs_of
from experiments.lite import Lite, LiteTrunk
from holdfast.base import whole_file
from holdfast.data import ImageSet

BATCH = 64
RANGE = 1e-4
"""Share of a channel's values that lie beyond the range of the bytes, on either side."""
SCALED = 512
"""Images by which the range is set."""

Network = Literal["lite0", "lite2"]


@dataclass(frozen=True)
class Lower:
    """A network up to its last blocks.

    Attributes:
        weights: its file; None: drawn, always alike, for small sizes.
        tail: where the weights of its last blocks, with the meaning of the bytes, lie.
    """

    name: Network
    last: int
    weights: Path | None
    tail: Path

    def build(self) -> Lite:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            config = LiteTrunk(kind="experiments.lite:LiteTrunk", name=self.name, weights=_text(self.weights))
            network = config.build(3, 128)
            assert isinstance(network, Lite)
            if self.weights is None:
                _draw(network)
        return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def keep(images: ImageSet, networks: Sequence[Lower], folder: Path) -> tuple[np.ndarray, list[int]]:
    """Kept images uint8 (n, 1, s, s) of all networks, and the side of each one's maps.

    The first set of images that is given sets the scales, and writes the tails.
    """
    parts, sides = [], []
    for network in networks:
        key = hashlib.sha256(f"{images.fingerprint} {network.name} {network.last}".encode()).hexdigest()[:16]
        file = folder / f"{key}.npy"
        if not file.is_file() or not network.tail.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            made = _bytes(images.images, network)
            with whole_file(file) as draft, draft.open("wb") as opened:
                np.save(opened, made)
        found = np.load(file)
        parts.append(found.reshape(len(found), -1))
        sides.append(found.shape[-1])
    return squares(np.concatenate(parts, 1)), sides


def squares(rows: np.ndarray) -> np.ndarray:
    """Rows of bytes (n, m) as images (n, 1, s, s), the last bytes of which are 0."""
    side = max(8, math.ceil(math.sqrt(rows.shape[1])))
    padded = np.zeros((len(rows), side * side), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded.reshape(len(rows), 1, side, side)


def replaced(images: ImageSet, kept: np.ndarray) -> ImageSet:
    """The same rows with kept images in the place of pixels."""
    return replace(images, images=kept, digests=None)


def _bytes(images: np.ndarray, lower: Lower) -> np.ndarray:
    network = lower.build()
    if not lower.tail.is_file():
        some = images[:: max(1, len(images) // SCALED)]
        _write_tail(network, lower, np.concatenate(list(_maps(network, some, lower.last))))
    tail = Tail(lower.name, lower.last, 1)
    tail.load_state_dict(load_file(lower.tail))
    scale, offset = (each.numpy()[:, None, None] for each in (tail.scale, tail.offset))
    made = [
        ((maps - offset) / scale).round().clip(0, LEVELS).astype(np.uint8)
        for maps in _maps(network, images, lower.last)
    ]
    return np.concatenate(made)


def _maps(network: Lite, images: np.ndarray, last: int) -> "list[np.ndarray]":
    made = []
    for start in range(0, len(images), BATCH):
        pixels = torch.tensor(images[start : start + BATCH], dtype=torch.float32)
        made.append(_below(network, (pixels - 127) / 128, last).numpy())
    return made


@torch.inference_mode()
def _below(network: Lite, pixels: Tensor, last: int) -> Tensor:
    maps = functional.relu6(
        network._bn0(network._conv_stem(pixels.contiguous(memory_format=torch.channels_last)))
    )
    for block in list(network._blocks)[:-last]:
        maps = block(maps)
    return maps.contiguous()


def _write_tail(network: Lite, lower: Lower, maps: np.ndarray) -> None:
    low, high = np.quantile(maps, [RANGE, 1 - RANGE], axis=(0, 2, 3))
    tail = Tail(lower.name, lower.last, 1)
    tail.blocks = nn.ModuleList(list(network._blocks)[-lower.last :])
    tail.head, tail.norm = network._conv_head, network._bn1
    assert len(low) == inputs_of(network, lower.last)
    tail.offset.copy_(torch.from_numpy(low))
    tail.scale.copy_(torch.from_numpy(np.maximum(high - low, 1e-6) / LEVELS))
    lower.tail.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(lower.tail) as draft:
        save_file({name: each.contiguous() for name, each in tail.state_dict().items()}, draft)


def _draw(network: Lite) -> None:
    """Weights with which what goes through so many layers neither vanishes nor grows."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
