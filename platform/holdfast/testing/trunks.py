"""What every network below the embedding keeps to."""

from pathlib import Path

import pytest
import torch

from holdfast.models import Encoder, ModelConfig, Preprocessing


class TrunkContract:
    """Give it the fixture `trunk`: what `model.trunk` may say. `preprocessing` says of which images."""

    @pytest.fixture
    def trunk(self) -> object:
        raise NotImplementedError("give the suite a fixture `trunk`")

    @pytest.fixture
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(size=32)

    @pytest.fixture
    def config(self, trunk: object, preprocessing: Preprocessing) -> ModelConfig:
        return ModelConfig.model_validate({"trunk": trunk, "dimension": 8, "preprocessing": preprocessing})

    def test_its_config_is_read_as_it_is_written(self, config: ModelConfig) -> None:
        assert ModelConfig.model_validate(config.model_dump(mode="json")) == config

    def test_it_gives_its_features_for_any_number_of_images(self, config: ModelConfig) -> None:
        encoder = Encoder(config).eval()
        for count in (1, 3):
            assert encoder.trunk(_images(config, count)).shape == (count, encoder.trunk.features)

    def test_an_embedding_does_not_depend_on_its_batch(self, config: ModelConfig) -> None:
        encoder, images = Encoder(config).eval(), _images(config, 4)
        with torch.no_grad():
            torch.testing.assert_close(encoder(images)[:2], encoder(images[:2]), atol=1e-5, rtol=0)

    def test_the_same_seed_gives_the_same_version(self, config: ModelConfig) -> None:
        assert _made(config).contract() == _made(config).contract()

    def test_it_learns(self, config: ModelConfig) -> None:
        encoder = _made(config).train()
        encoder(_images(config, 4))[:, 0].sum().backward()
        gradients = [each.grad for each in encoder.trunk.parameters() if each.requires_grad]
        assert gradients
        assert all(each is not None and each.isfinite().all() for each in gradients)

    def test_a_version_with_it_is_written_and_read_again(self, config: ModelConfig, tmp_path: Path) -> None:
        encoder = _made(config).eval()
        contract = encoder.save(tmp_path)
        again = Encoder.load(tmp_path)
        assert again.contract() == contract
        images = _images(config, 2)
        with torch.no_grad():
            assert torch.equal(again(images), encoder(images))


def _made(config: ModelConfig) -> Encoder:
    torch.manual_seed(0)
    return Encoder(config)


def _images(config: ModelConfig, count: int) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(
        count, config.preprocessing.channels, config.preprocessing.size, config.preprocessing.size
    )
