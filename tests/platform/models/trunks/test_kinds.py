"""Networks of another package: this module is one."""

import json
from pathlib import Path

import pytest
import torch
from pydantic import Field
from torch import Tensor, nn

from holdfast.base import ConfigError, StoreError, parse_settings
from holdfast.models import Encoder, ModelConfig, Trunk, TrunkConfig
from holdfast.models.normalization import SyncedBatchNorm2d


class Tiny(Trunk):
    def __init__(self, channels: int, config: "TinyConfig") -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(channels, config.filters, 3, 2), nn.BatchNorm2d(config.filters))
        self.slope = config.slope
        self.features = config.said or config.filters

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.leaky_relu(self.layers(images), self.slope).mean((2, 3))


class TinyConfig(TrunkConfig):
    filters: int = Field(4, ge=1)
    slope: float = 0.1
    said: int = 0

    def build(self, channels: int, size: int) -> Trunk:
        return Tiny(channels, self)


KIND = f"{__name__}:TinyConfig"


def model(**trunk: object) -> ModelConfig:
    return ModelConfig.model_validate({"dimension": 8, "trunk": {"kind": KIND, **trunk}})


def test_a_version_with_it_is_written_and_read_again(tmp_path: Path) -> None:
    config = model(filters=6)
    encoder = Encoder(config).eval()
    assert any(isinstance(module, SyncedBatchNorm2d) for module in encoder.trunk.modules())
    contract = encoder.save(tmp_path)
    again = Encoder.load(tmp_path)
    assert (again.config, again.contract()) == (config, contract)
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(again(images), encoder(images))


def test_its_settings_are_part_of_the_contract() -> None:
    def contract(config: ModelConfig) -> str:
        torch.manual_seed(0)
        return Encoder(config).contract().id

    assert contract(model()) == contract(ModelConfig.model_validate({"dimension": 8, "trunk": KIND}))
    assert contract(model()) != contract(model(slope=0.2))


def test_a_version_whose_package_is_missing_says_what_to_install(tmp_path: Path) -> None:
    Encoder(model()).save(tmp_path)
    file = tmp_path / "encoder.json"
    described = json.loads(file.read_text())
    described["config"]["trunk"]["kind"] = "acme_nets.tiny:TinyConfig"
    file.write_text(json.dumps(described))
    with pytest.raises(StoreError, match="no module 'acme_nets' here; install the package"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize(
    ("trunk", "said"),
    [
        ("conv5", "'conv5' is not a trunk; allowed are 'conv4', .* or 'package.module:Class'"),
        ("acme_nets.tiny:TinyConfig", "model.trunk: .* no module 'acme_nets' here; install the package"),
        (f"{__name__}:Tiny", "is not derived from holdfast.models.trunks.config.TrunkConfig"),
        ({"filters": 3}, "model.trunk: 'kind' is missing"),
        ({"kind": KIND, "filter": 3}, "TinyConfig.filter: unknown key. Did you mean 'filters'?"),
        ({"kind": KIND, "filters": 0}, "TinyConfig.filters: Input should be greater than or equal to 1"),
    ],
)
def test_a_mistake_is_explained_like_that_of_a_built_in_one(trunk: object, said: str) -> None:
    from holdfast.config import Experiment

    with pytest.raises(ConfigError, match=said):
        parse_settings(Experiment, {"model": {"trunk": trunk}}, "experiment")


def test_features_other_than_it_says_and_a_width_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"TinyConfig gives \(2, 4\) for 2 images of 1 x 28 x 28"):
        Encoder(model(said=5))
    with pytest.raises(ConfigError, match=r"model.width is 2.0; with the trunk .*TinyConfig it can only"):
        Encoder(model().model_copy(update={"width": 2.0}))
