"""The built-in networks and heads keep their contracts."""

import pytest

from holdfast.models import (
    ArcFaceConfig,
    CosFaceConfig,
    HeadConfig,
    NormalizedSoftmaxConfig,
    OPQNConfig,
    SimplexConfig,
)
from holdfast.testing import HeadContract, TrunkContract


class TestTrunks(TrunkContract):
    @pytest.fixture(params=["conv4", "separable"])
    def trunk(self, request: pytest.FixtureRequest) -> object:
        return request.param


class TestHeads(HeadContract):
    @pytest.fixture(
        params=[NormalizedSoftmaxConfig(), CosFaceConfig(), ArcFaceConfig(), SimplexConfig(classes=9)],
        ids=lambda config: config.kind,
    )
    def config(self, request: pytest.FixtureRequest) -> HeadConfig:
        return request.param


class TestCodedHead(HeadContract):
    @pytest.fixture
    def config(self) -> HeadConfig:
        return OPQNConfig()

    @pytest.fixture
    def dimension(self) -> int:
        return 128
