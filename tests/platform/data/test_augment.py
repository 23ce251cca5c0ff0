import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from holdfast.data import Augmentation, AugmentConfig

STILL = AugmentConfig(rotate=0, scale=0, shift=0, shear=0, brightness=0, contrast=0, saturation=0)


def still(**moving: object) -> AugmentConfig:
    return STILL.model_copy(update=moving)


def noise(count: int, channels: int = 1, side: int = 28, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8, generator=generator)


def drawn(config: AugmentConfig, count: int, seed: int = 0) -> Tensor:
    return Augmentation(config).draw(count, torch.Generator().manual_seed(seed))


@given(
    count=st.integers(1, 40),
    world=st.integers(1, 7),
    channels=st.sampled_from([1, 3]),
    side=st.sampled_from([8, 28, 31]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=50)
def test_a_slice_gets_the_very_pixels_of_the_whole(
    count: int, world: int, channels: int, side: int, seed: int
) -> None:
    augmentation = AugmentConfig(flip=True).build()
    images = noise(count, channels, side, seed)
    parameters = augmentation.draw(count, torch.Generator().manual_seed(seed))
    whole = augmentation.apply(images, parameters)
    parts = [
        augmentation.apply(some, mine)
        for some, mine in zip(images.tensor_split(world), parameters.tensor_split(world), strict=True)
        if len(some)
    ]
    assert torch.equal(torch.cat(parts), whole)
    assert whole.dtype == torch.float32
    assert whole.shape == images.shape
    assert 0 <= whole.min() <= whole.max() <= 1


def test_the_same_draw_for_every_config() -> None:
    generators = [torch.Generator().manual_seed(1) for _ in range(2)]
    AugmentConfig().build().draw(5, generators[0])
    STILL.build().draw(5, generators[1])
    assert torch.equal(generators[0].get_state(), generators[1].get_state())


def test_nothing_moves_when_all_is_zero() -> None:
    for channels in (1, 3):
        images = noise(4, channels)
        assert torch.allclose(STILL.build().apply(images, drawn(STILL, 4)), images / 255, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_are_left_alone_unless_there_are_three(channels: int) -> None:
    config = still(brightness=0.3, contrast=0.3, saturation=0.3)
    images = noise(4, channels)
    same = torch.allclose(config.build().apply(images, drawn(config, 4)), images / 255, atol=1e-6)
    assert same == (channels == 1)


def test_agrees_with_affine_grid() -> None:
    augmentation = AugmentConfig().build()
    images, parameters = noise(16), drawn(AugmentConfig(), 16)
    grid = functional.affine_grid(parameters[:, :6].view(-1, 2, 3), [16, 1, 28, 28], align_corners=False)
    expected = functional.grid_sample(images / 255, grid, padding_mode="border", align_corners=False)
    assert torch.allclose(augmentation.apply(images, parameters), expected, atol=1e-4)


def dot(x: float, y: float, side: int = 101) -> Tensor:
    image = torch.zeros((1, 1, side, side), dtype=torch.uint8)
    image[0, 0, round((y + 1) / 2 * (side - 1)), round((x + 1) / 2 * (side - 1))] = 255
    return functional.max_pool2d(image.float(), 5, 1, 2).to(torch.uint8)


def centre(pixels: Tensor) -> tuple[float, float]:
    place = torch.linspace(-1, 1, pixels.shape[-1])
    weight = pixels[0, 0] / pixels.sum()
    return float((weight.sum(0) * place).sum()), float((weight.sum(1) * place).sum())


@pytest.mark.parametrize(
    ("config", "start", "reach"),
    [
        (still(rotate=15.0), (0.6, 0.0), (0.02, 0.16)),  # 0.6 * (1 - cos 15), 0.6 * sin 15
        (still(scale=0.2), (0.5, 0.0), (0.1, 0.0)),
        (still(shift=0.1), (0.0, 0.0), (0.2, 0.2)),
        (still(shear=20.0), (0.0, 0.5), (0.5 * 0.364, 0.0)),
    ],
)
def test_amplitudes_mean_what_they_say(
    config: AugmentConfig, start: tuple[float, float], reach: tuple[float, float]
) -> None:
    parameters = drawn(config, 200)
    moved = config.build().apply(dot(*start).expand(200, -1, -1, -1), parameters)
    places = torch.tensor([centre(one[None]) for one in moved])
    for axis in range(2):
        offsets = (places[:, axis] - start[axis]).abs()
        assert offsets.max() <= reach[axis] + 0.02
        assert offsets.max() >= 0.8 * reach[axis] - 0.02


def test_flips_about_half() -> None:
    images = noise(1).expand(100, -1, -1, -1)
    config = still(flip=True)
    moved = config.build().apply(images, drawn(config, 100))
    flipped = [torch.allclose(one, images[0].flip(-1) / 255, atol=1e-4) for one in moved]
    kept = [torch.allclose(one, images[0] / 255, atol=1e-4) for one in moved]
    assert sum(flipped) + sum(kept) == 100
    assert 30 < sum(flipped) < 70


@pytest.mark.parametrize("paper", [0, 255])
def test_the_background_flows_in(paper: int) -> None:
    images = torch.full((50, 1, 28, 28), paper, dtype=torch.uint8)
    images[:, :, 10:18, 10:18] = 255 - paper
    moved = AugmentConfig().build().apply(images, drawn(AugmentConfig(), 50))
    border = torch.cat([moved[..., 0], moved[..., -1], moved[..., 0, :], moved[..., -1, :]])
    assert torch.allclose(border, torch.tensor(paper / 255), atol=1e-5)


def test_is_fast() -> None:
    """About 2 ms on one core; the bound only catches another order of magnitude, on a busy machine too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        augmentation, images = AugmentConfig().build(), noise(256)
        generator, seconds = torch.Generator(), []
        for _ in range(15):
            start = time.perf_counter()
            augmentation.apply(images, augmentation.draw(256, generator))
            seconds.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    assert min(seconds) < 0.02


@pytest.mark.parametrize("mistake", [{"rotate": -1}, {"scale": 1.0}, {"shift": float("nan")}, {"blur": 1}])
def test_impossible_amplitudes(mistake: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(mistake))):
        AugmentConfig.model_validate(mistake)
