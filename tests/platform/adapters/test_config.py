"""What every adapter keeps, whichever config fitted it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from holdfast.adapters import AdapterConfig, AnyAdapterConfig, Pairs, fit_from_pairs, load_adapter
from holdfast.base import DataError, InvalidVectorError

CONFIGS = TypeAdapter(AnyAdapterConfig)
KINDS = ("rotation", "linear", "low-rank-affine", "residual-mlp", "lambda-orthogonal")
SHORT = {
    "residual-mlp": {"epochs": 3, "hidden": 4, "learning_rate": 0.01},
    "lambda-orthogonal": {"steps": 5},
    "low-rank-affine": {"rank": 2},
}


def config(kind: str) -> AdapterConfig:
    return CONFIGS.validate_python({"kind": kind} | SHORT.get(kind, {}))


def test_an_unknown_kind_and_an_unknown_key_are_refused():
    with pytest.raises(ValidationError, match=r"unknown kind 'affine'. Allowed are 'rotation', 'linear', "):
        CONFIGS.validate_python({"kind": "affine"})
    with pytest.raises(ValidationError, match="Extra inputs"):
        CONFIGS.validate_python({"kind": "linear", "lambda": 1})
    with pytest.raises(ValidationError, match="greater than or equal to"):
        CONFIGS.validate_python({"kind": "linear", "shrinkage": 0})


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(rows=st.integers(2, 30), source=st.integers(2, 9), target=st.integers(2, 9), seed=st.integers(0, 99))
def test_maps_unit_vectors_to_unit_vectors_from_however_few_pairs(units, kind, rows, source, target, seed):
    pairs = Pairs(units(seed, rows, source), units(seed + 1, rows, target))
    adapter = fit_from_pairs(config(kind), pairs)
    assert (adapter.source_dimension, adapter.target_dimension) == (source, target)
    mapped = adapter.apply(pairs.source)
    assert mapped.shape == (rows, target)
    assert mapped.dtype == np.float32
    assert mapped.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), 1, atol=1e-6)
    assert adapter.apply(pairs.source[:0]).shape == (0, target)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pairs", ["equal", "two places", "opposite"])
def test_pairs_without_variety(units, kind, pairs):
    source, target = units(0, 12, 6), units(1, 12, 6)
    if pairs == "opposite":
        source[:] = source[0] * np.where(np.arange(12) % 2, -1, 1)[:, None].astype(np.float32)
        target[:] = target[0] * np.where(np.arange(12) % 2, -1, 1)[:, None].astype(np.float32)
    else:
        places = 1 if pairs == "equal" else 2
        source[:], target[:] = source[np.arange(12) % places], target[np.arange(12) % places]
    adapter = config(kind).fit(source, target)
    assert all(np.isfinite(tensor).all() for tensor in adapter.tensors().values())
    if kind in ("rotation", "linear") and pairs != "two places":  # two rows may enclose another angle
        np.testing.assert_allclose(adapter.apply(source), target, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes_whatever_the_global_state(drifted, kind):
    source, target = drifted(3, 50, 8)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = config(kind).fit(source, target, seed=7)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second = config(kind).fit(source, target, seed=7)
    assert {name: tensor.tobytes() for name, tensor in first.tensors().items()} == {
        name: tensor.tobytes() for name, tensor in second.tensors().items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_entries_are_mapped_unless_the_file_says_queries(kind):
    assert (config(kind).maps, config(kind).views) == ("entries", 0)
    asked = CONFIGS.validate_python({"kind": kind, "maps": "queries", "views": 0})
    assert (asked.maps, asked.views) == ("queries", 0)
    for wrong in ({"maps": "both"}, {"views": -1}):
        with pytest.raises(ValidationError):
            CONFIGS.validate_python({"kind": kind} | wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_fitting_changes_no_pairs(drifted, kind):
    source, target = drifted(3, 20, 8)
    copies = source.copy(), target.copy()
    config(kind).fit(source, target)
    np.testing.assert_array_equal(source, copies[0])
    np.testing.assert_array_equal(target, copies[1])


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_that_cannot_be_fitted_are_refused(units, kind):
    source, target = units(0, 5, 4), units(1, 5, 4)
    with pytest.raises(InvalidVectorError, match="5 source vectors and 4 target"):
        config(kind).fit(source, target[:4])
    with pytest.raises(DataError, match="on 1 pairs: give at least 2"):
        config(kind).fit(source[:1], target[:1])
    broken = target.copy()
    broken[3, 0] = np.nan
    with pytest.raises(InvalidVectorError, match="Row 3 of the target vectors holds NaN"):
        config(kind).fit(source, broken)
    with pytest.raises(InvalidVectorError, match="Row 0 of the source vectors has norm 2"):
        config(kind).fit(2 * source, target)


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_that_cannot_be_mapped_are_refused(units, kind):
    adapter = config(kind).fit(units(0, 9, 4), units(1, 9, 3))
    with pytest.raises(InvalidVectorError, match="have 5 dimensions: the adapter maps from 4"):
        adapter.apply(units(0, 2, 5))
    with pytest.raises(InvalidVectorError, match="must be a float matrix"):
        adapter.apply(units(0, 2, 4)[0])
    with pytest.raises(InvalidVectorError, match="Row 1 of the source vectors has norm 0"):
        adapter.apply(units(0, 2, 4) * np.array([[1], [0]], np.float32))
    with pytest.raises(InvalidVectorError, match="NaN or infinity"):
        adapter.apply(np.full((1, 4), np.inf, np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_is_the_adapter(units, kind):
    adapter = config(kind).fit(units(0, 9, 4), units(1, 9, 3))
    again = load_adapter(adapter.kind, adapter.tensors())
    queries = units(2, 5, 4)
    assert again.apply(queries).tobytes() == adapter.apply(queries).tobytes()
