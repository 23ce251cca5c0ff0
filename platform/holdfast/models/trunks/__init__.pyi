from .config import TrunkConfig
from .continued import ContinuedTrunk
from .kinds import (
    AnyTrunk,
    begin_trunk,
    build_trunk,
    describe_trunk,
    is_pretrained,
    published_trunk,
    read_trunk,
)
from .pretrained import PretrainedConfig, rate_shares, settle_trunk
from .probing import load_weights
from .trunk import Trunk
from .version import VersionTrunkConfig

__all__ = [
    "AnyTrunk",
    "ContinuedTrunk",
    "PretrainedConfig",
    "Trunk",
    "TrunkConfig",
    "VersionTrunkConfig",
    "begin_trunk",
    "build_trunk",
    "describe_trunk",
    "is_pretrained",
    "load_weights",
    "published_trunk",
    "rate_shares",
    "read_trunk",
    "settle_trunk",
]
