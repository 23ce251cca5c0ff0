import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.adapters import LinearAdapter, load_adapter
from holdfast.base import StoreError


@given(seed=st.integers(0, 99), biased=st.booleans())
def test_a_linear_map_survives_its_tensors(seed, biased):
    generator = np.random.default_rng(seed)
    adapter = LinearAdapter.of(generator.normal(size=(3, 5)), generator.normal(size=5) if biased else None)
    again = load_adapter(adapter.kind, adapter.tensors()).tensors()
    assert {name: array.tobytes() for name, array in again.items()} == {
        name: array.tobytes() for name, array in adapter.tensors().items()
    }


MATRIX = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("kind", "tensors", "message"),
    [
        ("pickle", {}, "known are linear, residual-mlp"),
        ("linear", {}, "made of matrix, not of nothing"),
        ("linear", {"matrix": MATRIX, "scale": MATRIX}, "not of matrix, scale"),
        ("linear", {"matrix": MATRIX.astype(np.float64)}, "must be float32"),
        ("linear", {"matrix": MATRIX[0]}, r"must be float32 \(source, target\)"),
        ("linear", {"matrix": MATRIX[:0]}, "must be float32"),
        ("linear", {"matrix": MATRIX, "bias": np.ones(2, np.float32)}, "has 2 for its target"),
        ("linear", {"matrix": MATRIX * np.nan}, "NaN or infinity"),
        ("residual-mlp", {"rotation": MATRIX}, "made of inner, inner_bias, outer"),
        ("acme_maps.turn:Turn", {}, "cannot be loaded: .* no module 'acme_maps' here; install the package"),
        ("pathlib:Path", {}, "is not derived from holdfast.adapters.adapter.Adapter"),
    ],
)
def test_tensors_that_make_no_adapter_are_refused(kind, tensors, message):
    with pytest.raises(StoreError, match=message):
        load_adapter(kind, tensors)
