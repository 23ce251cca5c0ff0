from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from holdfast.adapters import LinearAdapter, ProcrustesConfig, ResidualMLPConfig, compose, load_adapter
from holdfast.base import StoreError


@given(seed=st.integers(0, 99), biased=st.booleans())
def test_a_linear_map_survives_its_tensors(seed, biased):
    generator = np.random.default_rng(seed)
    adapter = LinearAdapter.of(generator.normal(size=(3, 5)), generator.normal(size=5) if biased else None)
    again = load_adapter(adapter.kind, adapter.tensors()).tensors()
    assert {name: array.tobytes() for name, array in again.items()} == {
        name: array.tobytes() for name, array in adapter.tensors().items()
    }


def test_a_chain_survives_a_file(units, tmp_path: Path):
    first = ResidualMLPConfig(epochs=2, hidden=3).fit(units(0, 20, 6), units(1, 20, 4))
    second = ProcrustesConfig().fit(units(2, 20, 4), units(3, 20, 5))
    chain = compose(first, second)
    assert chain.kind == "composed"
    for name in ("a", "b"):
        save_file(chain.tensors(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    again = load_adapter(chain.kind, load_file(tmp_path / "a"))
    save_file(again.tensors(), tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == (tmp_path / "a").read_bytes()
    queries = units(4, 9, 6)
    assert again.apply(queries).tobytes() == chain.apply(queries).tobytes()


MATRIX = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("kind", "tensors", "message"),
    [
        ("pickle", {}, "known are linear, residual-mlp, composed"),
        ("linear", {}, "made of matrix, not of nothing"),
        ("linear", {"matrix": MATRIX, "scale": MATRIX}, "not of matrix, scale"),
        ("linear", {"matrix": MATRIX.astype(np.float64)}, "must be float32"),
        ("linear", {"matrix": MATRIX[0]}, r"must be float32 \(source, target\)"),
        ("linear", {"matrix": MATRIX[:0]}, "must be float32"),
        ("linear", {"matrix": MATRIX, "bias": np.ones(2, np.float32)}, "has 2 for its target"),
        ("linear", {"matrix": MATRIX * np.nan}, "NaN or infinity"),
        ("residual-mlp", {"rotation": MATRIX}, "made of inner, inner_bias, outer"),
        ("composed", {"matrix": MATRIX}, "not the tensors of a composed adapter"),
        ("composed", {"0.linear.matrix": MATRIX}, "not the tensors of a composed adapter"),
        (
            "composed",
            {"0.linear.matrix": MATRIX, "2.linear.matrix": MATRIX.T},
            "not the tensors of a composed",
        ),
        ("composed", {"0.linear.matrix": MATRIX, "0.mlp.matrix": MATRIX}, "both linear and mlp"),
        ("composed", {"0.linear.matrix": MATRIX, "1.linear.matrix": MATRIX}, "to 3 dimensions and on from 2"),
    ],
)
def test_tensors_that_make_no_adapter_are_refused(kind, tensors, message):
    with pytest.raises(StoreError, match=message):
        load_adapter(kind, tensors)
