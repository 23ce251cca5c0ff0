from .config import TrunkConfig
from .kinds import AnyTrunk, build_trunk, describe_trunk, is_pretrained
from .trunk import Trunk

__all__ = [
    "AnyTrunk",
    "Trunk",
    "TrunkConfig",
    "build_trunk",
    "describe_trunk",
    "is_pretrained",
]
