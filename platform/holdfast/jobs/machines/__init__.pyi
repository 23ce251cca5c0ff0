from .nodes import Node, has_places, look_at_nodes
from .places import ROUNDING, count_places, describe_amount, describe_amounts
from .waiting import Waits

__all__ = [
    "ROUNDING",
    "Node",
    "Waits",
    "count_places",
    "describe_amount",
    "describe_amounts",
    "has_places",
    "look_at_nodes",
]
