from .adapting import embed_views, fit_adapter
from .ancestor import (
    choose_parent,
    find_unusable,
    latest_learned,
    lineage,
    load_ancestor,
    load_sound,
    published_by,
    warn_of_unusable,
)
from .bridging import Bridge, BridgeRequest, bridge_versions
from .publisher import DATA, StorePublisher
from .sampling import Sampled
from .seeing import Seen, look

__all__ = [
    "Bridge",
    "BridgeRequest",
    "DATA",
    "Sampled",
    "Seen",
    "StorePublisher",
    "bridge_versions",
    "choose_parent",
    "embed_views",
    "find_unusable",
    "fit_adapter",
    "latest_learned",
    "lineage",
    "load_ancestor",
    "load_sound",
    "look",
    "published_by",
    "warn_of_unusable",
]
