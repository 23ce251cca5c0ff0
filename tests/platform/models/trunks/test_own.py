import pytest
import torch
from torch import nn

from holdfast.base import ConfigError
from holdfast.models import Encoder, ModelConfig
from holdfast.models.normalization import SyncedBatchNorm2d
from holdfast.models.trunks.own import OWN, build_own


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (3, 64), (1, 9)])
@pytest.mark.parametrize("width", [0.25, 1.0])
def test_features_are_as_many_as_promised(name, channels, size, width):
    trunk = build_own(name, channels, size, width).eval()
    with torch.no_grad():
        features = trunk(torch.rand(2, channels, size, size))
    assert features.shape == (2, trunk.features)


@pytest.mark.parametrize("name", OWN)
def test_width_multiplies_the_channels(name):
    narrow, wide = build_own(name, 1, 28), build_own(name, 1, 28, width=2.0)
    assert wide.features == 2 * narrow.features


@pytest.mark.parametrize("name", OWN)
def test_the_memory_format_does_not_change_the_features(name):
    torch.manual_seed(0)
    trunk, images = build_own(name, 3, 32).eval(), torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        plain = trunk(images)
        trunk.to(memory_format=torch.channels_last)
        last = trunk(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, plain, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", OWN)
def test_all_batch_norms_are_synced(name):
    norms = [module for module in build_own(name, 1, 32).modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert all(isinstance(norm, SyncedBatchNorm2d) for norm in norms)


def test_a_separable_encoder_has_a_tenth_of_the_parameters():
    large, small = (Encoder(ModelConfig(trunk=name)) for name in ("conv4", "separable"))
    counts = [sum(p.numel() for p in encoder.parameters()) for encoder in (large, small)]
    assert counts[1] < 0.1 * counts[0]


def test_an_unknown_trunk_names_the_allowed_ones():
    with pytest.raises(ConfigError, match=r"'conv5'.*'conv4', 'separable', 'resnet18'"):
        build_own("conv5", 1, 28)
