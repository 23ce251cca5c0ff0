"""Networks of timm as trunks. The core does not install timm: a module with two networks stands in for it."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from holdfast.base import ConfigError, parse_settings
from holdfast.models import Encoder, ModelConfig
from holdfast.models.encoder import DESCRIPTION

OWN = {"input_size": (3, 32, 32), "interpolation": "bicubic", "crop_pct": 0.8, "mean": (0.4,) * 3}


def network(in_chans: int = 3, num_classes: int = 0, **_: Any) -> nn.Module:
    layers = [nn.Conv2d(in_chans, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    made = nn.Sequential(*layers, nn.Flatten(), nn.Linear(6, num_classes) if num_classes else nn.Identity())
    made.pretrained_cfg = OWN
    return made


@pytest.fixture(autouse=True)
def timm(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("timm")

    def create_model(name: str, pretrained: bool, num_classes: int, **settings: Any) -> nn.Module:
        assert not pretrained
        if name not in ("tiny", "fixed") or (name == "fixed" and "dynamic_img_size" in settings):
            raise RuntimeError(f"Unknown model ({name})")
        return network(num_classes=num_classes, **settings)

    module.create_model = create_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", module)


@pytest.fixture
def weights(tmp_path: Path) -> str:
    torch.manual_seed(0)
    state = network(num_classes=5).state_dict()
    save_file(
        {name.replace("5.", "fc.") if name[0] == "5" else name: each for name, each in state.items()},
        tmp_path / "weights.safetensors",
    )
    return str(tmp_path / "weights.safetensors")


def model(**trunk: object) -> ModelConfig:
    return parse_settings(ModelConfig, {"dimension": 4, "trunk": {"kind": "timm", **trunk}}, "model")


@pytest.mark.parametrize("name", ["tiny", "fixed"])
def test_it_begins_with_the_weights_and_its_own_pixels(name: str, weights: str, tmp_path: Path) -> None:
    config = model(name=name, weights=weights)
    assert (config.preprocessing.size, config.preprocessing.resize) == (32, 40)
    smaller = parse_settings(
        ModelConfig,
        {"trunk": {"kind": "timm", "name": name, "weights": weights}, "preprocessing": {"size": 24}},
        "model",
    )
    assert (smaller.preprocessing.size, smaller.preprocessing.resize) == (24, 30)
    encoder = Encoder(config).eval()
    torch.manual_seed(0)
    expected_of = network(num_classes=5)[:5].eval()
    images = torch.rand(2, 3, 32, 32)
    expected = expected_of(images)
    torch.testing.assert_close(encoder.trunk(images), expected)
    contract = encoder.save(tmp_path / "version")
    Path(weights).unlink()
    again = Encoder.load(tmp_path / "version")
    assert (again.contract(), contract.backbone) == (contract, f"timm:{name}")
    assert torch.equal(again(images), encoder(images))


def test_a_version_of_an_earlier_holdfast_is_still_read(tmp_path: Path) -> None:
    contract = Encoder(model(name="tiny", weights=None)).save(tmp_path)
    file = tmp_path / DESCRIPTION
    written = file.read_text()
    start = written.index('"trunk": {')
    end = written.index("}", written.index("}", start) + 1) + 1
    file.write_text(written[:start] + '"backbone": "timm:tiny"' + written[end:])
    assert Encoder.load(tmp_path).contract() == contract


@pytest.mark.parametrize(
    ("trunk", "said"),
    [
        ({"name": "large", "weights": None}, "timm cannot make 'large': Unknown model"),
        ({"name": "tiny", "weights": "none.safetensors"}, "'none.safetensors' is no file of weights"),
        ({"name": "tiny", "weights": "other.safetensors"}, "no weights of timm's tiny"),
        ({"name": "tiny"}, "timm has no weights for 'tiny'"),
        ({"weights": "none.safetensors"}, "trunk.name: missing"),
    ],
)
def test_a_mistake_is_one_sentence(
    trunk: dict[str, object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_file({"0.weight": torch.zeros(1)}, "other.safetensors")
    with pytest.raises(ConfigError, match=said):
        Encoder(model(**trunk))


def test_images_of_which_it_makes_nothing_are_refused(weights: str) -> None:
    config = model(name="tiny", weights=weights)
    tiny = config.preprocessing.model_copy(update={"size": 2})
    with pytest.raises(ConfigError, match=r"timm:tiny cannot take images of 3 x 2 x 2: .*Kernel size"):
        Encoder(config.model_copy(update={"preprocessing": tiny}))
    with pytest.raises(ConfigError, match=r"model.width is 2"):
        Encoder(config.model_copy(update={"width": 2.0}))


def test_without_timm_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"pip install 'holdfast\[timm\]'"):
        Encoder(model(name="resnet50", weights=None))
