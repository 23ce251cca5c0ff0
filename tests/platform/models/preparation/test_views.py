"""Views of pixels: what they are by definition, and that they stay within the pixel range."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from holdfast.models import Contract, Encoder, ModelConfig, Preprocessing
from holdfast.models.preparation.views import edges, local_binary_patterns, view_pixels

PIXELS = arrays(np.uint8, (2, 3, 8, 8))
AROUND = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]


def scaled(pixels):
    return torch.from_numpy(pixels).float() / 255


def naive_patterns(image):
    """Pixel by pixel over one uint8 channel, the border repeated."""
    padded, codes = np.pad(image.astype(int), 1, mode="edge"), np.zeros(image.shape, int)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            for place, (down, across) in enumerate(AROUND):
                neighbour = padded[row + 1 + down, column + 1 + across]
                codes[row, column] |= int(neighbour >= image[row, column]) << place
    return codes


@given(PIXELS)
@settings(max_examples=25)
def test_patterns_are_those_of_the_definition(pixels):
    found = (local_binary_patterns(scaled(pixels)) * 255).round().int().numpy()
    for image, codes in zip(pixels.reshape(-1, 8, 8), found.reshape(-1, 8, 8), strict=True):
        np.testing.assert_array_equal(codes, naive_patterns(image))


@given(PIXELS, st.integers(0, 60))
@settings(max_examples=25)
def test_patterns_ignore_brightness(pixels, brighter):
    dark = (pixels // 2).astype(np.uint8)
    one, other = local_binary_patterns(scaled(dark)), local_binary_patterns(scaled(dark + np.uint8(brighter)))
    torch.testing.assert_close(one, other)


@given(PIXELS)
@settings(max_examples=25)
def test_every_view_keeps_shape_and_range(pixels):
    for view in ("plain", "edges", "local-binary-patterns"):
        found = view_pixels(view, scaled(pixels))
        assert found.shape == (2, 3, 8, 8)
        assert found.min() >= 0
        assert found.max() <= 1


def test_edges_lie_where_the_brightness_changes():
    pixels = torch.zeros(1, 1, 6, 6)
    pixels[..., 3:] = 1
    found = edges(pixels)
    assert found[..., 2:4].min() == 1
    assert found[..., [0, 1, 4, 5]].max() < 1e-4
    torch.testing.assert_close(found, edges(1 - pixels))
    torch.testing.assert_close(found.transpose(2, 3), edges(pixels.transpose(2, 3)))


def test_the_slope_of_edges_is_finite_in_a_flat_image():
    pixels = torch.full((1, 1, 6, 6), 0.5, requires_grad=True)
    edges(pixels).sum().backward()
    assert pixels.grad.isfinite().all()


@pytest.mark.parametrize("view", ["edges", "local-binary-patterns"])
def test_the_view_is_part_of_the_contract_and_of_the_network(view):
    plain = Preprocessing(size=8)
    changed = Preprocessing(size=8, view=view)
    one = Contract(weights_sha256="ab", preprocessing=plain, backbone="conv4", dimension=8)
    assert one.id != one.model_copy(update={"preprocessing": changed}).id
    torch.manual_seed(0)
    encoder = Encoder(ModelConfig(dimension=8, width=0.125, preprocessing=changed)).eval()
    torch.manual_seed(0)
    blind = Encoder(ModelConfig(dimension=8, width=0.125, preprocessing=plain)).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 8), np.uint8)
    seen = view_pixels(view, scaled(pixels))
    np.testing.assert_allclose(encoder.embed(pixels), blind(seen).detach().numpy(), atol=1e-6)


def test_a_plain_view_is_not_written_so_that_published_contracts_keep_their_names():
    assert "view" not in Preprocessing().model_dump(mode="json")
    assert Preprocessing.model_validate(Preprocessing(view="edges").model_dump()).view == "edges"
