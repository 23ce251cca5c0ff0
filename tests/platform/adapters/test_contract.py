"""The built-in adapters keep the contract."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from holdfast.adapters import AdapterConfig, AnyAdapterConfig
from holdfast.testing import AdapterContract
from holdfast.testing.adapters import poor_pairs

CONFIGS = TypeAdapter(AnyAdapterConfig)
SHORT = {
    "rotation": {},
    "linear": {},
    "low-rank-affine": {"rank": 2},
    "residual-mlp": {"epochs": 3, "hidden": 4, "learning_rate": 0.01},
    "lambda-orthogonal": {"steps": 5},
    "kernel": {},
}


class TestBuiltIn(AdapterContract):
    @pytest.fixture(params=SHORT)
    def config(self, request: pytest.FixtureRequest) -> AdapterConfig:
        return CONFIGS.validate_python({"kind": request.param, **SHORT[request.param]})


def test_an_unknown_kind_and_an_unknown_key_are_refused():
    with pytest.raises(ValidationError, match=r"unknown kind 'affine'. Allowed are 'rotation', 'linear', "):
        CONFIGS.validate_python({"kind": "affine"})
    with pytest.raises(ValidationError, match="Extra inputs"):
        CONFIGS.validate_python({"kind": "linear", "lambda": 1})
    with pytest.raises(ValidationError, match="greater than or equal to"):
        CONFIGS.validate_python({"kind": "linear", "shrinkage": 0})


@pytest.mark.parametrize("kind", ["rotation", "linear"])
@pytest.mark.parametrize("variety", ["equal", "opposite"])
def test_pairs_without_variety_are_met(kind, variety):
    source, target = poor_pairs(variety)
    adapter = CONFIGS.validate_python({"kind": kind}).fit(source, target)
    np.testing.assert_allclose(adapter.apply(source), target, atol=1e-5)
