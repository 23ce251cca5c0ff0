"""The package's parts keep the contracts, and its tests are as short as anybody's."""

import pytest

from holdfast.adapters import AdapterConfig
from holdfast.base import load_class
from holdfast.index import LocalIndex
from holdfast.models import HeadConfig
from holdfast.regularizers import RegularizerConfig
from holdfast.testing import (
    AdapterContract,
    HeadContract,
    IndexContract,
    Opened,
    RegularizerContract,
    SourceContract,
    TrunkContract,
)


class TestPull(RegularizerContract):
    @pytest.fixture
    def config(self) -> RegularizerConfig:
        return load_class("acme.regularizers:PullConfig", RegularizerConfig)()


class TestShift(AdapterContract):
    @pytest.fixture
    def config(self) -> AdapterConfig:
        return load_class("acme.adapters:ShiftConfig", AdapterConfig)()


class TestStripes(SourceContract):
    @pytest.fixture
    def uri(self) -> str:
        return "acme.sources:StripesConfig?classes=4&instances=3"


class TestPatches(TrunkContract):
    @pytest.fixture
    def trunk(self) -> object:
        return {"kind": "acme.networks:PatchesConfig", "filters": 8}


class TestPlainHead(HeadContract):
    @pytest.fixture
    def config(self) -> HeadConfig:
        return load_class("acme.networks:PlainHeadConfig", HeadConfig)()


class TestPlain(IndexContract):
    @pytest.fixture
    def opened(self) -> Opened:
        plain = load_class("acme.indexes:Plain", LocalIndex)
        return Opened(plain(), plain)
