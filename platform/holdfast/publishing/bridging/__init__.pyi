from .bridge import Bridge, bridge_versions
from .candidates import are_related
from .embedding import BothEmbedder
from .of_entries import read_entries
from .recording import SAMPLED
from .request import LEAST, BridgeRequest

__all__ = [
    "BothEmbedder",
    "Bridge",
    "BridgeRequest",
    "LEAST",
    "SAMPLED",
    "are_related",
    "bridge_versions",
    "read_entries",
]
