"""The built-in regularizers keep the contract."""

from typing import get_args

import pytest
from pydantic import TypeAdapter

from holdfast.regularizers import AnyRegularizerConfig, RegularizerConfig
from holdfast.testing import RegularizerContract

KINDS = get_args(AnyRegularizerConfig)[1].names


class TestBuiltIn(RegularizerContract):
    @pytest.fixture(params=KINDS)
    def config(self, request: pytest.FixtureRequest) -> RegularizerConfig:
        return TypeAdapter(AnyRegularizerConfig).validate_python({"kind": request.param})
