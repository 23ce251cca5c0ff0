import numpy as np
import pytest

from holdfast.adapters import KernelRidgeConfig, Pairs, RidgeConfig, belong, held_out, wrong_pairs

CONFIG = KernelRidgeConfig()


def with_wrong(pairs: Pairs, share: float, seed: int = 0) -> tuple[Pairs, np.ndarray]:
    """So large a share of the pairs has another's partner; and which."""
    rows = np.random.default_rng(seed).permutation(len(pairs.source))[: round(share * len(pairs.source))]
    target = pairs.target.copy()
    target[rows] = target[np.roll(rows, 1)]
    return Pairs(pairs.source, target), rows


@pytest.fixture(scope="module")
def images(drifted) -> Pairs:
    """The first 300 are given as pairs."""
    return Pairs(*drifted(0, 1300, 64, noise=0.4))


@pytest.fixture(scope="module")
def given(images: Pairs) -> Pairs:
    return Pairs(images.source[:300], images.target[:300])


@pytest.mark.parametrize("config", [CONFIG, RidgeConfig(toward="zero")])
def test_wrong_pairs_are_found_and_cost_less_than_a_point(images, given, config):
    planted, rows = with_wrong(given, 0.05)
    wrong = wrong_pairs(held_out(config, planted), planted.target)
    assert wrong[rows].mean() >= 0.9
    assert wrong.sum() <= len(rows) + 12

    def recall(pairs: Pairs) -> float:
        mapped = config.fit(pairs.source, pairs.target).apply(images.source[300:])
        return float(((mapped @ images.target[300:].T).argmax(axis=1) == np.arange(1000)).mean())

    kept = Pairs(planted.source[~wrong], planted.target[~wrong])
    assert recall(kept) > recall(given) - 0.01


def test_images_that_come_twice_or_look_alike_are_not_taken_for_wrong(given):
    twice = Pairs(*(np.concatenate([side, side[:100]]) for side in (given.source, given.target)))
    assert wrong_pairs(held_out(CONFIG, twice), twice.target).mean() < 0.05
    alike = Pairs(np.repeat(given.source[:1], 40, axis=0), np.repeat(given.target[:1], 40, axis=0))
    assert not wrong_pairs(held_out(CONFIG, alike), alike.target).any()


@pytest.mark.parametrize("seed", range(3))
def test_pairs_belong_together_though_some_are_wrong_and_shuffled_ones_do_not(given, seed):
    planted, _ = with_wrong(given, 0.2, seed)
    assert belong(held_out(CONFIG, planted, seed=seed), planted.target, seed)
    shuffled, _ = with_wrong(given, 1.0, seed)
    assert not belong(held_out(CONFIG, shuffled, seed=seed), shuffled.target, seed)


def test_few_pairs_can_be_told(given):
    few = Pairs(given.source[:32], given.target[:32])
    assert belong(held_out(CONFIG, few), few.target)
