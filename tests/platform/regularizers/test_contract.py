"""The built-in regularizers keep the contract."""

from typing import get_args

import pytest
from pydantic import TypeAdapter

from holdfast.regularizers import AnyRegularizerConfig, RegularizerConfig, TaskStart
from holdfast.testing import RegularizerContract
from holdfast.testing.tasks import tiny_vectors_task

OF_VECTORS = ("feature-replay", "whitening")
KINDS = [name for name in get_args(AnyRegularizerConfig)[1].names if name not in OF_VECTORS]


class TestBuiltIn(RegularizerContract):
    @pytest.fixture(params=KINDS)
    def config(self, request: pytest.FixtureRequest) -> RegularizerConfig:
        return TypeAdapter(AnyRegularizerConfig).validate_python({"kind": request.param})


class TestOverVectors(RegularizerContract):
    """The same of projections, for what needs them; and what is made for images works over vectors."""

    @pytest.fixture(params=[*OF_VECTORS, "feature-distillation", "correlation-distillation", "interpolation"])
    def config(self, request: pytest.FixtureRequest) -> RegularizerConfig:
        return TypeAdapter(AnyRegularizerConfig).validate_python({"kind": request.param})

    def make_task(self, index: int = 1, dimension: int = 6, parent_dimension: int = 6) -> TaskStart:
        return tiny_vectors_task(index, dimension, parent_dimension)
