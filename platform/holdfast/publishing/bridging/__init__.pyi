from .bridge import Bridge, bridge_versions
from .candidates import are_related
from .embedding import BothEmbedder
from .material import Item, Material
from .of_entries import read_entries
from .recording import SAMPLED
from .request import LEAST, BridgeRequest

__all__ = [
    "BothEmbedder",
    "Bridge",
    "BridgeRequest",
    "Item",
    "LEAST",
    "Material",
    "SAMPLED",
    "are_related",
    "bridge_versions",
    "read_entries",
]
