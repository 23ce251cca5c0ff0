from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.adapters import ComposedAdapter, LinearAdapter, ResidualMLPConfig, compose
from holdfast.base import InvalidVectorError


@given(
    seed=st.integers(0, 999),
    widths=st.tuples(*[st.integers(2, 12)] * 4),
    biased=st.tuples(*[st.booleans()] * 3),
)
def test_a_chain_of_linear_maps_is_one_after_the_other(units, rotation, seed, widths, biased):
    """Near isometries, so that nothing cancels; a bias in front keeps one map, behind it makes a chain."""
    generator = np.random.default_rng(seed)
    parts = [
        LinearAdapter.of(
            rotation(seed, 12)[:rows, :columns] + 0.1 * generator.normal(size=(rows, columns)),
            generator.normal(size=columns) if with_bias else None,
        )
        for (rows, columns), with_bias in zip(pairwise(widths), biased, strict=True)
    ]
    queries = expected = units(seed, 8, widths[0]).astype(np.float64)
    smallest = 1.0
    for part in parts:
        expected = expected @ part.matrix + (0 if part.bias is None else part.bias)
        lengths = np.linalg.norm(expected, axis=1, keepdims=True)
        smallest, expected = smallest * min(1.0, lengths.min()), expected / lengths
    for chain in (
        compose(compose(parts[0], parts[1]), parts[2]),
        compose(parts[0], compose(parts[1], parts[2])),
    ):
        assert (chain.source_dimension, chain.target_dimension) == (widths[0], widths[-1])
        assert isinstance(chain, LinearAdapter) == (not biased[1] and not biased[2])
        np.testing.assert_allclose(chain.apply(queries), expected, atol=1e-5 / smallest)


def test_other_kinds_are_applied_in_turn_and_never_nest(units):
    network = ResidualMLPConfig(epochs=2, hidden=3).fit(units(0, 20, 6), units(1, 20, 6))
    turn = LinearAdapter.of(np.roll(np.eye(6), 1, axis=1))
    chain = compose(compose(turn, network), compose(turn, turn))
    assert isinstance(chain, ComposedAdapter)
    assert [part.kind for part in chain.parts] == ["linear", "residual-mlp", "linear"]
    queries = units(2, 9, 6)
    expected = turn.apply(turn.apply(network.apply(turn.apply(queries))))
    np.testing.assert_allclose(chain.apply(queries), expected, atol=1e-6)


def test_dimensions_must_meet():
    with pytest.raises(InvalidVectorError, match="to 3 dimensions cannot be followed by one from 4"):
        compose(LinearAdapter.of(np.ones((2, 3))), LinearAdapter.of(np.ones((4, 2))))
