import numpy as np
import pytest
from scipy.stats import ortho_group

from holdfast.adapters import (
    Evidence,
    LinearAdapter,
    Pairs,
    ProcrustesConfig,
    RidgeConfig,
    carried,
    fit_from_pairs,
)
from holdfast.adapters.adapter import unit_rows
from holdfast.base import StoreError


def test_it_adds_up_whatever_the_parts(drifted):
    source, target = (array.astype(np.float64) for array in drifted(0, 60, 5))
    whole = Evidence.of(source, target)
    first, rest = Evidence.of(source[:20], target[:20]), Evidence.of(source[20:], target[20:])
    assert whole.pairs == 60
    for one, other in ((first.plus(rest), whole), (whole.without(first), rest)):
        np.testing.assert_allclose(one.seen, other.seen, atol=1e-9)
        np.testing.assert_allclose(one.met, other.met, atol=1e-9)


def test_moments_about_the_means_are_covariances(drifted):
    source, target = (array.astype(np.float64) for array in drifted(0, 60, 5))
    gram, cross, middle, goal = Evidence.of(source, target).about(True)
    np.testing.assert_allclose(gram, 60 * np.cov(source.T, bias=True), atol=1e-9)
    np.testing.assert_allclose(cross, (source - source.mean(0)).T @ (target - target.mean(0)), atol=1e-9)
    np.testing.assert_allclose((middle, goal), (source.mean(0), target.mean(0)), atol=1e-12)


@pytest.mark.parametrize("bias", [None, np.array([0.3, -0.1, 0.2])])
def test_pushed_evidence_is_that_of_the_mapped_targets(drifted, bias):
    source, target = (array.astype(np.float64) for array in drifted(0, 60, 5))
    matrix = np.random.default_rng(1).normal(size=(5, 3))
    pushed = Evidence.of(source, target).pushed(matrix, bias)
    direct = Evidence.of(source, target @ matrix + (0 if bias is None else bias))
    np.testing.assert_allclose(pushed.met, direct.met, atol=1e-9)
    np.testing.assert_array_equal(pushed.seen, direct.seen)


def test_a_chain_is_fitted_as_if_the_images_of_all_its_tasks_were_there(drifted):
    """Version 2 is a rotation of version 1, so what is pushed is what version 2 would have said itself."""
    config = RidgeConfig(shrinkage=0.01)
    (first, older), (now, there) = drifted(0, 40, 6), drifted(1, 40, 6)
    turn = ortho_group.rvs(6, random_state=2)
    kept = config.fit(first, older)
    step = LinearAdapter.of(turn)
    earlier = carried(kept, step)
    assert earlier is not None
    chained = fit_from_pairs(config, Pairs(now, unit_rows(there @ turn)), earlier=earlier)
    together = config.fit(np.concatenate([first, now]), unit_rows(np.concatenate([older, there]) @ turn))
    np.testing.assert_allclose(chained.matrix, together.matrix, atol=1e-4)
    np.testing.assert_allclose(chained.bias, together.bias, atol=1e-4)
    assert chained.evidence.pairs == 80


def test_it_is_stored_with_the_map_and_read_back(drifted):
    adapter = RidgeConfig().fit(*drifted(0, 40, 6))
    again = LinearAdapter.from_tensors(adapter.tensors())
    assert {name: array.tobytes() for name, array in again.tensors().items()} == {
        name: array.tobytes() for name, array in adapter.tensors().items()
    }
    assert again.evidence.pairs == 40
    narrow = {**adapter.tensors(), "seen": adapter.evidence.seen[1:, 1:], "met": adapter.evidence.met[1:]}
    with pytest.raises(StoreError, match="6 dimensions must have one more, not 6"):
        LinearAdapter.from_tensors(narrow)
    with pytest.raises(StoreError, match="made of"):
        LinearAdapter.from_tensors(
            {name: array for name, array in adapter.tensors().items() if name != "met"}
        )


def test_nothing_is_carried_where_there_is_nothing_to_say(drifted):
    linear = RidgeConfig().fit(*drifted(0, 40, 6))
    rotation = ProcrustesConfig().fit(*drifted(0, 40, 6))
    narrower = LinearAdapter.of(np.eye(4))
    assert carried(None, linear) is None
    assert carried(linear, None) is None
    assert carried(rotation, linear) is None
    assert carried(linear, narrower) is None
    assert carried(linear, rotation) is not None
    assert RidgeConfig(maps="queries").fit(*drifted(0, 40, 6)).evidence is None


def test_queries_are_mapped_by_the_new_images_alone(drifted):
    config = RidgeConfig(maps="queries")
    source, target = drifted(0, 40, 6)
    earlier = Evidence.of(target.astype(np.float64), source.astype(np.float64))
    found = fit_from_pairs(config, Pairs(source, target), earlier=earlier)
    np.testing.assert_array_equal(found.matrix, config.fit(source, target).matrix)
