"""Scores of several spaces in one ranking, by z-scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.benchmarks.methods.calibration import Calibration, calibrate


def unit_rows(seed: int, count: int, dimension: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@given(labels=st.lists(st.integers(0, 4), min_size=2, max_size=30), seed=st.integers(0, 99))
def test_is_the_z_score_of_pairs_of_different_classes(labels: list[int], seed: int) -> None:
    classes = np.array(labels)
    mapped, older, own = (
        unit_rows(seed, len(labels), 6),
        unit_rows(seed + 1, len(labels), 6),
        unit_rows(seed, len(labels), 9),
    )
    different = classes[:, None] != classes[None, :]
    found = calibrate(mapped, older, own, classes)
    if not different.any():
        assert found == Calibration(1.0, 0.0)
        return
    there, here = ((a @ b.T)[different].astype(np.float64) for a, b in ((mapped, older), (own, own)))
    if here.std() < 1e-3 or there.std() < 1e-3:
        return
    assert found.scale == pytest.approx(here.std() / there.std(), rel=1e-4)
    z = (0.3 - there.mean()) / there.std()
    assert found.scale * 0.3 + found.shift == pytest.approx(here.mean() + z * here.std(), abs=1e-4)


def test_without_spread_nothing_changes() -> None:
    same = np.repeat(unit_rows(0, 1, 4), 6, axis=0)
    labels = np.arange(6)
    assert calibrate(same, same, unit_rows(1, 6, 4), labels) == Calibration()
    assert calibrate(unit_rows(1, 6, 4), unit_rows(2, 6, 4), same, labels) == Calibration()


def test_scores_that_crowd_around_an_old_mean_no_longer_win() -> None:
    """Entries of the older version all have high scores; calibrated, none of the versions is preferred."""
    own = unit_rows(0, 400, 16)
    mean = 2 * unit_rows(1, 1, 16)
    older = own + mean
    older /= np.linalg.norm(older, axis=1, keepdims=True)
    labels = np.arange(400)
    found = calibrate(older, older, own, labels)
    off = ~np.eye(400, dtype=bool)
    raw, here = (older @ older.T)[off], (own @ own.T)[off]
    assert raw.min() > here.mean()
    assert (found.scale * raw + found.shift).mean() == pytest.approx(here.mean(), abs=1e-3)
