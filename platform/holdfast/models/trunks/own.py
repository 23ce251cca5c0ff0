"""The networks below the embedding: pixels (b, channels, size, size) float32 -> features (b, features)."""

from typing import Literal, cast

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from holdfast.base import ConfigError
from holdfast.models.normalization import SyncedBatchNorm2d
from holdfast.models.trunks.config import TrunkConfig
from holdfast.models.trunks.trunk import Trunk

OWN = ("conv4", "separable", "resnet18")


class OwnTrunk(TrunkConfig):
    """One of them, with its width beside it."""

    kind: Literal["conv4", "separable", "resnet18"]
    width: float = Field(1.0, gt=0, le=16)
    """Multiplies its channels."""

    def build(self, channels: int, size: int) -> Trunk:
        return build_own(self.kind, channels, size, self.width)

    def described(self) -> str:
        # The weights say how wide it is.
        return self.kind


def build_own(name: str, channels: int, size: int, width: float = 1.0) -> Trunk:
    """Make a freshly initialized trunk (torch's global generator) for (channels, size, size) images.

    `width` multiplies its channels. Raises ConfigError for an unknown name.
    """
    match name:
        case "conv4":
            return Conv4(channels, size, width)
        case "separable":
            return Separable(channels, size, width)
        case "resnet18":
            return ResNet18(channels, width)
        case _:
            raise ConfigError(f"model.trunk is {name!r}; allowed are {', '.join(map(repr, OWN))}.")


class Conv4(Trunk):
    """Four 3x3 convolutions of stride 2, each with batch normalization and ReLU: for 28 to 64 px on a CPU.

    The stride halves the image in the convolution itself, so that a layer costs a quarter of the usual
    Conv-4's, which convolves at full size and pools after that. The widths are the cheapest that were as good
    as wider ones on held-out alphabets of Omniglot's background set.
    """

    def __init__(self, channels: int, size: int, width: float = 1.0) -> None:
        super().__init__()
        widths = [_scaled(base, width) for base in (48, 64, 128, 128)]
        layers: list[nn.Module] = []
        for inputs, outputs in zip([channels, *widths], widths, strict=False):
            layers += [_convolution(inputs, outputs, 3, 2), SyncedBatchNorm2d(outputs), nn.ReLU(inplace=True)]
            size = (size + 1) // 2
        self.layers = nn.Sequential(*layers)
        self.features = widths[-1] * size * size

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.layers(images).flatten(1))


class Separable(Trunk):
    """Few parameters, for small devices: a tenth of conv4's with all of its depth.

    A 3x3 stem, then convolutions that are separated into one for each channel and one across channels
    (MobileNet, Howard et al. 2017, arXiv 1704.04861), 5x5 and 3x3, three strides of 2 in all; what is left of
    the image is weighted by position in place of being averaged (MobileFaceNets, Chen et al. 2018, arXiv
    1804.07573, section 3.1).
    """

    def __init__(self, channels: int, size: int, width: float = 1.0) -> None:
        super().__init__()
        first, second, third = (_scaled(base, width) for base in (32, 56, 72))
        for _ in range(3):
            size = (size + 1) // 2
        self.layers = nn.Sequential(
            _convolution(channels, first, 3, 2),
            SyncedBatchNorm2d(first),
            nn.ReLU(inplace=True),
            _SeparatedConvolution(first, second, 5, 2),
            _SeparatedConvolution(second, second, 5, 1),
            _SeparatedConvolution(second, third, 5, 2),
            _SeparatedConvolution(third, third, 3, 1),
            nn.Conv2d(third, third, size, groups=third, bias=False),
            SyncedBatchNorm2d(third),
        )
        self.features = third

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.layers(images).flatten(1))


class _SeparatedConvolution(nn.Module):
    """One channel at a time, then one pixel at a time; added to its input where that has the same shape."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.each = _convolution(inputs, inputs, kernel, stride, groups=inputs)
        self.each_norm = SyncedBatchNorm2d(inputs)
        self.across = _convolution(inputs, outputs, 1, 1)
        self.across_norm = SyncedBatchNorm2d(outputs)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, images: Tensor) -> Tensor:
        inner = F.relu(self.each_norm(self.each(images)), inplace=True)
        inner = F.relu(self.across_norm(self.across(inner)), inplace=True)
        return images + inner if self.adds else inner


class ResNet18(Trunk):
    """ResNet-18 (He et al. 2016) with a 3x3 stem in place of the 7x7 one: for 64 px and up."""

    def __init__(self, channels: int, width: float = 1.0) -> None:
        super().__init__()
        widths = [_scaled(base, width) for base in (64, 128, 256, 512)]
        self.stem = nn.Sequential(
            _convolution(channels, widths[0], 3, 2),
            SyncedBatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        blocks: list[nn.Module] = []
        for stage, (inputs, outputs) in enumerate(zip([widths[0], *widths], widths, strict=False)):
            blocks.append(_ResidualBlock(inputs, outputs, stride=1 if stage == 0 else 2))
            blocks.append(_ResidualBlock(outputs, outputs, stride=1))
        self.blocks = nn.Sequential(*blocks)
        self.features = widths[-1]

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.blocks(self.stem(images)).mean((2, 3)))


class _ResidualBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, 3, stride)
        self.first_norm = SyncedBatchNorm2d(outputs)
        self.second = _convolution(outputs, outputs, 3, 1)
        self.second_norm = SyncedBatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                _convolution(inputs, outputs, 1, stride), SyncedBatchNorm2d(outputs)
            )

    def forward(self, images: Tensor) -> Tensor:
        inner = F.relu(self.first_norm(self.first(images)), inplace=True)
        inner = self.second_norm(self.second(inner))
        return F.relu(inner + self.shortcut(images), inplace=True)


def _scaled(channels: int, width: float) -> int:
    """Multiples of 8, which the vectorized kernels like."""
    return max(8, round(channels * width / 8) * 8)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer
