from .bridge import Bridge, bridge_versions
from .request import BridgeRequest

__all__ = ["Bridge", "BridgeRequest", "bridge_versions"]
