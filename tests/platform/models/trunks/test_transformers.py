"""Folders of transformers as trunks: tiny networks of each family, with random weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from holdfast.base import ConfigError, parse_settings
from holdfast.models import (
    Encoder,
    ModelConfig,
    Wishes,
    adopt_files,
    probe_files,
    read_exported,
    write_exported,
)
from tests.fixtures.two_towers import VISION, clip, save

SQUARE = {"size": {"height": 32, "width": 32}}
FILES = list(probe_files())


def vit(folder: Path) -> Path:
    model = transformers.ViTModel(transformers.ViTConfig(**VISION, intermediate_size=37))
    return save(folder, model, image_processor_type="ViTImageProcessor", **SQUARE)


def resnet(folder: Path) -> Path:
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1])
    return save(
        folder, transformers.ResNetModel(config), image_processor_type="ConvNextImageProcessor", **SQUARE
    )


FAMILIES = {"vit": vit, "resnet": resnet, "clip": clip}


def model(folder: Path, size: int | None = None, **trunk: object) -> ModelConfig:
    values = {"dimension": 8, "trunk": {"kind": "transformers", "weights": str(folder), **trunk}}
    said = {} if size is None else {"preprocessing": {"size": size}}
    return parse_settings(ModelConfig, {**values, **said}, "model")


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], Path]:
    def make(family: str) -> Path:
        torch.manual_seed(0)
        return FAMILIES[family](tmp_path / family)

    return make


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("train", ["all", "last-1"])
def test_it_begins_as_it_would_be_adopted_and_ends_without_its_folder(
    family: str, train: str, made: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = made(family)
    adopted = tmp_path / "adopted"
    adopted.mkdir()
    foreign = adopt_files(f"transformers:{folder}", Wishes(), adopted)
    config = model(folder, train=train)
    encoder = Encoder(config).eval()
    assert encoder.preprocessing.model_dump() == foreign._config.preprocessing.model_dump()  # type: ignore[attr-defined]
    pixels = torch.from_numpy(np.stack([encoder.prepare(file) for file in FILES]))
    with torch.no_grad():
        features = torch.nn.functional.normalize(encoder.trunk(encoder.preprocessing.normalize(pixels)))
    np.testing.assert_allclose(features.numpy(), foreign.embed(FILES), atol=1e-5)

    shutil.rmtree(folder)
    encoder.begin(config)
    encoder.train()
    before = {name: each.clone() for name, each in encoder.named_parameters() if each.requires_grad}
    optimizer = torch.optim.SGD([each for each in encoder.parameters() if each.requires_grad], lr=0.1)
    encoder(pixels)[:, 0].sum().backward()
    # Several workers wait for the gradient of every weight that is to learn.
    assert all(each.grad is not None for each in encoder.parameters() if each.requires_grad)
    optimizer.step()
    encoder.settle()
    learned = {name for name, each in before.items() if not torch.equal(each, encoder.get_parameter(name))}
    assert any(name.startswith("trunk.") for name in learned)
    contract = encoder.eval().save(tmp_path / "version")
    again = Encoder.load(tmp_path / "version")
    assert again.contract() == contract
    assert again.config == encoder.config
    assert torch.equal(again(pixels), encoder(pixels))
    assert "text" not in json.dumps(sorted(again.state_dict()))


def test_the_other_tower_is_left_out(made: Callable[[str], Path]) -> None:
    encoder = Encoder(model(made("clip")))
    assert encoder.config.trunk.without == ("text_model", "text_projection")  # type: ignore[union-attr]


@pytest.mark.parametrize("format", ["torch", "onnx"])
def test_a_network_tuned_by_lora_is_exported(
    format: str, made: Callable[[str], Path], tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    config = model(made("vit"), train="lora", lora={"rank": 2})
    encoder = Encoder(config)
    encoder.begin(config)
    names = {name for name, each in encoder.trunk.named_parameters() if each.requires_grad}
    assert names
    assert all("lora" in name for name in names)
    with torch.no_grad():
        for name in names:
            encoder.trunk.get_parameter(name).normal_(std=0.1)
    pixels = np.stack([encoder.prepare(file) for file in FILES])
    learned = encoder.eval().embed(pixels)
    encoder.settle()
    file = tmp_path / "exported"
    write_exported(encoder, format, file)  # type: ignore[arg-type]
    np.testing.assert_allclose(read_exported(format, file)(pixels), learned, atol=1e-4)  # type: ignore[arg-type]


def test_another_size_is_taken_where_the_network_allows_it(
    made: Callable[[str], Path], tmp_path: Path
) -> None:
    encoder = Encoder(model(made("vit"), size=48)).eval()
    encoder.save(tmp_path / "version")
    images = torch.rand(2, 3, 48, 48)
    assert torch.equal(Encoder.load(tmp_path / "version")(images), encoder(images))
    assert Encoder(model(made("resnet"), size=40)).trunk.features == 32


def test_words_are_enough(made: Callable[[str], Path]) -> None:
    folder = made("vit")
    config = parse_settings(ModelConfig, {"trunk": f"transformers:{folder}", "dimension": 8}, "model")
    assert config == model(folder)
    assert ModelConfig.model_validate(config.model_dump(mode="json")) == config


def test_what_does_not_fit_is_refused(made: Callable[[str], Path], tmp_path: Path) -> None:
    folder = made("vit")
    with pytest.raises(ConfigError, match=r"into patches of 8 pixels, and .*size is 30: .* such as 24 or 32"):
        Encoder(model(folder, size=30))
    with pytest.raises(ConfigError, match=r"has no output 'projection': it has pooler_output, cls, mean"):
        Encoder(model(folder, output="projection"))
    grey = {"size": 32, "channels": 1, "fit": "crop", "mean": 0.5, "std": 0.5}
    values = {"trunk": f"transformers:{folder}", "preprocessing": grey}
    one_channel = parse_settings(ModelConfig, values, "model")
    with pytest.raises(ConfigError, match=r"takes images of 3 channels; model.preprocessing makes 1"):
        Encoder(one_channel)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigError, match=r"wants its pixels, it does not say: give all of model.prepro"):
        model(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"is no model that transformers saved"):
        Encoder(one_channel)
    unsaid = parse_settings(ModelConfig, {"trunk": {"kind": "transformers"}}, "model")
    with pytest.raises(ConfigError, match=r"needs weights: a folder"):
        Encoder(unsaid)
