"""Networks of timm as models. The core does not install timm, whose torchvision has to fit torch: a module
with one network stands in for it."""

import builtins
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from holdfast.base import ConfigError
from holdfast.models import Model, Wishes, adopt_files, probe_files

FILES = list(probe_files())
CONFIG = {
    "input_size": (3, 16, 16),
    "interpolation": "bicubic",
    "crop_pct": 0.9,
    "crop_mode": "center",
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}


class Network(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2)
        self.fc = nn.Linear(8, classes) if classes else nn.Identity()
        self.pretrained_cfg = dict(CONFIG)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.fc(self.stem(pixels).tanh().mean((2, 3)))
        return answer


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("timm")

    def create_model(name: str, pretrained: bool, num_classes: int) -> Network:
        if name != "small":
            raise RuntimeError(f"Unknown model ({name})")
        return Network(num_classes)

    module.create_model = create_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", module)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_file(Network(5).state_dict(), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def adopt(tmp_path: Path, name: str, **wishes: Any) -> Model:
    (tmp_path / "adopted").mkdir()
    return adopt_files(f"timm:{name}", Wishes(**wishes), tmp_path / "adopted")


@pytest.mark.usefixtures("timm")
def test_the_classifier_is_left_out_and_the_pixels_are_its_own(tmp_path, weights):
    model = adopt(tmp_path, "small", weights=weights)
    torch.manual_seed(0)
    network = Network(5)
    network.fc = nn.Identity()
    pixels = torch.from_numpy(np.stack([model.prepare(file) for file in FILES])) / 255
    mean, std = (torch.tensor(CONFIG[key])[:, None, None] for key in ("mean", "std"))
    with torch.no_grad():
        expected = nn.functional.normalize(network((pixels - mean) / std))
    np.testing.assert_allclose(model.embed(FILES), expected.numpy(), atol=1e-5)


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("name", "state", "sentence"),
    [
        ("small", {"stem.weight": torch.zeros(8, 3, 3, 3)}, "stem.bias does not agree"),
        ("small", {"stem.weight": torch.zeros(1)}, "no weights of timm's small"),
        ("large", {}, "Unknown model"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, name, state, sentence):
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match=sentence):
        adopt(tmp_path, name, weights=tmp_path / "other.safetensors")


@pytest.mark.usefixtures("timm")
def test_without_weights_there_is_no_model(tmp_path):
    with pytest.raises(ConfigError, match="--weights"):
        adopt(tmp_path, "small")


def test_a_torchvision_of_another_torch_is_named(tmp_path, monkeypatch):
    import_module = builtins.__import__

    def broken(name: str, *rest: Any) -> Any:
        if name == "timm":
            raise RuntimeError("operator torchvision::nms does not exist")
        return import_module(name, *rest)

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ConfigError, match="made for another torch"):
        adopt(tmp_path, "small")


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"pip install 'holdfast\[timm\]'"):
        adopt(tmp_path, "small")
