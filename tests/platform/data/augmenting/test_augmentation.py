import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

from holdfast.data import PHOTOGRAPHS, Augmentation, AugmentConfig

STILL = AugmentConfig(rotate=0, scale=0, shift=0, shear=0, brightness=0, contrast=0, saturation=0)
EVERYTHING = AugmentConfig(flip=True, hue=30, crop=0.3, erase=0.5, blur=0.5)


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
    config=st.sampled_from([AugmentConfig(flip=True), PHOTOGRAPHS, EVERYTHING]),
)
@settings(deadline=None, max_examples=50)
def test_a_slice_gets_the_very_pixels_of_the_whole(
    count: int, world: int, channels: int, side: int, seed: int, config: AugmentConfig
) -> None:
    augmentation = Augmentation(config)
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
    Augmentation(AugmentConfig()).draw(5, generators[0])
    Augmentation(STILL).draw(5, generators[1])
    assert torch.equal(generators[0].get_state(), generators[1].get_state())


def test_nothing_moves_when_all_is_zero() -> None:
    for channels in (1, 3):
        images = noise(4, channels)
        assert torch.allclose(Augmentation(STILL).apply(images, drawn(STILL, 4)), images / 255, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_are_left_alone_unless_there_are_three(channels: int) -> None:
    config = still(brightness=0.3, contrast=0.3, saturation=0.3)
    images = noise(4, channels)
    same = torch.allclose(Augmentation(config).apply(images, drawn(config, 4)), images / 255, atol=1e-6)
    assert same == (channels == 1)


def test_agrees_with_affine_grid() -> None:
    augmentation = Augmentation(AugmentConfig())
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
    moved = Augmentation(config).apply(dot(*start).expand(200, -1, -1, -1), parameters)
    places = torch.tensor([centre(one[None]) for one in moved])
    for axis in range(2):
        offsets = (places[:, axis] - start[axis]).abs()
        assert offsets.max() <= reach[axis] + 0.02
        assert offsets.max() >= 0.8 * reach[axis] - 0.02


def test_flips_about_half() -> None:
    images = noise(1).expand(100, -1, -1, -1)
    config = still(flip=True)
    moved = Augmentation(config).apply(images, drawn(config, 100))
    flipped = [torch.allclose(one, images[0].flip(-1) / 255, atol=1e-4) for one in moved]
    kept = [torch.allclose(one, images[0] / 255, atol=1e-4) for one in moved]
    assert sum(flipped) + sum(kept) == 100
    assert 30 < sum(flipped) < 70


@pytest.mark.parametrize("paper", [0, 255])
def test_the_background_flows_in(paper: int) -> None:
    images = torch.full((50, 1, 28, 28), paper, dtype=torch.uint8)
    images[:, :, 10:18, 10:18] = 255 - paper
    moved = Augmentation(AugmentConfig()).apply(images, drawn(AugmentConfig(), 50))
    border = torch.cat([moved[..., 0], moved[..., -1], moved[..., 0, :], moved[..., -1, :]])
    assert torch.allclose(border, torch.tensor(paper / 255), atol=1e-5)


def test_other_distortions_leave_what_is_drawn_for_one_alone() -> None:
    plain, more = drawn(AugmentConfig(), 20), drawn(AugmentConfig(hue=30, erase=1, blur=1), 20)
    assert torch.equal(plain[:, :9], more[:, :9])
    assert not plain[:, [9, 14]].any()
    assert torch.equal(plain[:, 10:12], plain[:, 12:14])  # boxes without area
    assert more[:, 9:].all()


def test_a_part_fills_the_image_and_lies_within_it() -> None:
    """A picture whose pixels are their own places says where each one comes from."""
    side, config = 128, still(crop=0.25)
    across = torch.linspace(0, 255, side).round().expand(side, side)
    places = (
        torch.stack([across, across.T, torch.zeros(side, side)]).to(torch.uint8)[None].expand(300, -1, -1, -1)
    )
    moved = Augmentation(config).apply(places, drawn(config, 300))
    width = moved[:, 0, 64, -1] - moved[:, 0, 64, 0]
    height = moved[:, 1, -1, 64] - moved[:, 1, 0, 64]
    area, form = width * height, width / height
    assert area.min() == pytest.approx(0.25, abs=0.02)
    assert area.max() > 0.9
    assert 3 / 4 - 0.03 <= form.min() <= 0.8
    assert 1.25 <= form.max() <= 4 / 3 + 0.03
    assert width.min() > 0  # nothing is mirrored
    assert moved[:, 0, 0].std(dim=1).min() > 0  # nothing is one repeated border
    lefts = moved[:, 0, 64, 0]
    assert lefts.min() < 0.02
    assert lefts.max() > 0.3


def test_a_whole_crop_is_the_image() -> None:
    images, config = noise(4, 3), still(crop=1.0)
    assert torch.allclose(Augmentation(config).apply(images, drawn(config, 4)), images / 255, atol=1e-6)


def test_hue_turns_colours_and_keeps_their_grey() -> None:
    config = still(hue=180)
    images = torch.zeros(200, 3, 2, 2, dtype=torch.uint8)
    images[:, 0], images[:, 1:] = 150, 120
    moved = Augmentation(config).apply(images, drawn(config, 200))[:, :, 0, 0]
    assert torch.allclose(moved.mean(1), torch.tensor(130 / 255), atol=1e-5)
    radii = (moved - moved.mean(1, keepdim=True)).norm(dim=1)
    assert torch.allclose(radii, radii[:1].expand(200), atol=1e-5)
    assert set(moved.argmax(1).tolist()) == {0, 1, 2}


def test_hue_by_a_third_of_the_circle_moves_on_one_channel() -> None:
    parameters = drawn(still(hue=1), 1)
    parameters[:, 9] = torch.tensor(2 * torch.pi / 3)
    images = noise(1, 3) // 2 + 40
    moved = Augmentation(still(hue=1)).apply(images, parameters)
    assert torch.allclose(moved, (images / 255).roll(1, dims=1), atol=1e-5)


def test_erases_a_rectangle_of_as_many_images_as_was_said() -> None:
    config, images = still(erase=0.4), noise(300, 3, 40)
    moved = Augmentation(config).apply(images, drawn(config, 300))
    changed = ((moved - images / 255).abs() > 1e-6).any(dim=1)
    areas = changed.float().mean((1, 2))
    assert 0.3 < (areas > 0).float().mean() < 0.5
    assert areas[areas > 0].min() > 0.005
    assert 0.25 < areas.max() < 0.36
    for one, where, image in zip(moved, changed, images, strict=True):
        if not where.any():
            continue
        rows, columns = where.any(1).nonzero().flatten(), where.any(0).nonzero().flatten()
        box = one[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        mean = (image / 255).mean((1, 2))[:, None, None].expand_as(box)
        assert torch.allclose(box, mean, atol=1e-5)


def test_blurs_as_a_gaussian_does() -> None:
    """Against scipy's, and no image that is not to be blurred."""
    config, images = still(blur=0.5), noise(40, 3, 100)
    parameters = drawn(config, 40)
    moved = Augmentation(config).apply(images, parameters)
    widths = parameters[:, 14] * 100
    assert 10 < int((widths > 0).sum()) < 30
    for one, image, width in zip(moved, images / 255, widths.tolist(), strict=True):
        expected = image
        if width:
            sigma = (0, max(width, 1 / 3), max(width, 1 / 3))
            expected = torch.from_numpy(
                gaussian_filter(image.numpy(), sigma, mode="nearest", radius=(0, 3, 3))
            )
        assert torch.allclose(one, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("said", "default", "found"),
    [
        ({}, PHOTOGRAPHS, PHOTOGRAPHS),
        ({}, AugmentConfig(), AugmentConfig()),
        ({"crop": None}, PHOTOGRAPHS, PHOTOGRAPHS),
        ({"crop": 0.7}, PHOTOGRAPHS, PHOTOGRAPHS.model_copy(update={"crop": 0.7})),
        ({"rotate": 12.0}, PHOTOGRAPHS, PHOTOGRAPHS.model_copy(update={"rotate": 12.0})),
        ({"erase": 0}, PHOTOGRAPHS, PHOTOGRAPHS.model_copy(update={"erase": 0.0})),
        ({"flip": True}, AugmentConfig(), AugmentConfig(flip=True)),
    ],
)
def test_what_is_not_said_follows_a_default(
    said: dict[str, object], default: AugmentConfig, found: AugmentConfig
) -> None:
    config = AugmentConfig.model_validate(said).over(default)
    assert config == found
    # Written out and read again, as on its way to a worker, it does not change.
    assert AugmentConfig.model_validate(config.model_dump(mode="json")).over(default) == found


def test_what_earlier_experiments_wrote_out_is_the_same() -> None:
    written = {"rotate", "scale", "shift", "shear", "flip", "brightness", "contrast", "saturation"}
    assert set(AugmentConfig().model_dump()) == written


@pytest.mark.quiet
def test_is_fast() -> None:
    """About 2 ms on one core; the bound only catches another order of magnitude, on a busy machine too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        augmentation, images = Augmentation(AugmentConfig()), noise(256)
        generator, seconds = torch.Generator(), []
        for _ in range(15):
            start = time.perf_counter()
            augmentation.apply(images, augmentation.draw(256, generator))
            seconds.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    assert min(seconds) < 0.02


@pytest.mark.parametrize(
    "mistake",
    [
        {"rotate": -1},
        {"scale": 1.0},
        {"shift": float("nan")},
        {"blurr": 1},
        {"crop": 0},
        {"erase": 1.5},
        {"mixup": -1},
    ],
)
def test_impossible_amplitudes(mistake: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(mistake))):
        AugmentConfig.model_validate(mistake)
