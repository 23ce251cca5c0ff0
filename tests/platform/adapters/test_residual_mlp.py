import numpy as np
import torch
from torch.nn import functional

from holdfast.adapters import ProcrustesConfig, ResidualMLPAdapter, ResidualMLPConfig


def test_is_the_network_that_it_says(units):
    generator = np.random.default_rng(0)
    shapes = {"rotation": (4, 3), "inner": (4, 5), "inner_bias": 5, "outer": (5, 3), "outer_bias": 3}
    arrays = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    queries = units(0, 6, 4)
    x, given = torch.from_numpy(queries), {name: torch.from_numpy(array) for name, array in arrays.items()}
    hidden = functional.linear(x, given["inner"].T, given["inner_bias"]).relu()
    added = functional.linear(hidden, given["outer"].T, given["outer_bias"])
    expected = functional.normalize(x @ given["rotation"] + added, dim=1)
    np.testing.assert_allclose(ResidualMLPAdapter(**arrays).apply(queries), expected.numpy(), atol=1e-6)


def test_without_training_it_is_the_rotation_of_four_fifths(drifted):
    source, target = drifted(0, 50, 8)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(4)).numpy()[10:]
    found = ResidualMLPConfig(epochs=0).fit(source, target, seed=4)
    expected = ProcrustesConfig().fit(source[order], target[order])
    np.testing.assert_allclose(found.rotation, expected.matrix, atol=1e-5)
    np.testing.assert_array_equal(found.apply(source), expected.apply(source))


def bent(units, rotation, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A drift that no linear map follows: the sign of one coordinate moves everything."""
    source = units(0, rows, 8)
    moved = source @ rotation(1, 8) + 0.7 * np.sign(source[:, :1]) * units(1, 1, 8) * np.sign(source[:, 1:2])
    return source, (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


def test_learns_what_no_linear_map_can(units, rotation, mean_cosine):
    source, target = bent(units, rotation, 1500)
    config = ResidualMLPConfig(hidden=32, learning_rate=3e-3, epochs=40)
    found = config.fit(source[:1000], target[:1000]).apply(source[1000:])
    affine = np.hstack([source, np.ones((1500, 1), np.float32)])
    linear = affine[1000:] @ np.linalg.lstsq(affine[:1000], target[:1000])[0]
    linear /= np.linalg.norm(linear, axis=1, keepdims=True)
    assert mean_cosine(found, target[1000:]) > mean_cosine(linear, target[1000:]) + 0.03


def test_stops_when_the_held_out_pairs_do_not_improve_and_keeps_the_best(units):
    """Pairs of noise: nothing can be learned of them but the training part by heart."""
    source, target = units(0, 40, 8), units(1, 40, 8)
    found = ResidualMLPConfig(learning_rate=0.05, patience=3, epochs=10**6).fit(source, target, seed=1)
    start = ResidualMLPConfig(epochs=0).fit(source, target, seed=1)
    held = torch.randperm(40, generator=torch.Generator().manual_seed(1)).numpy()[:8]
    agreement = [float((a.apply(source[held]) * target[held]).sum()) for a in (found, start)]
    assert agreement[0] >= agreement[1] - 1e-5


def test_the_seed_matters(drifted):
    source, target = drifted(0, 40, 8)
    config = ResidualMLPConfig(epochs=2)
    one, other = (config.fit(source, target, seed=seed) for seed in (0, 1))
    assert not np.array_equal(one.rotation, other.rotation)
