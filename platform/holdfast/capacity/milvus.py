"""Milvus as the index, by its default parameters here: HNSW, segment by segment, on machines of its own."""

import math
from dataclasses import dataclass

from holdfast.capacity.constants import Constants
from holdfast.capacity.demand import Demand


@dataclass(frozen=True)
class MilvusSize:
    """The whole cluster; bytes, and seconds of one core.

    Attributes:
        disk: in object storage: the vectors, and the graphs with them once more.
        search: in all segments. Each is a graph of its own, so a search costs as many times as there are.
    """

    memory: float
    disk: float
    segments: int
    search: float
    building: float


def milvus_size(demand: Demand, constants: Constants) -> MilvusSize:
    """Of all entries as one collection."""
    vector = 4.0 * demand.dimension
    vectors, graph = demand.entries * vector, demand.entries * constants["hnsw.links"].number
    per_segment = min(float(demand.entries), (demand.segment or constants["milvus.segment"].number) / vector)
    segments = math.ceil(demand.entries / per_segment)
    # The way through a graph grows with the logarithm of its size.
    longer = math.log(max(per_segment, 2)) / math.log(constants["hnsw.measured"].number)
    return MilvusSize(
        memory=(vectors + graph) * constants["milvus.memory"].number,
        disk=2 * vectors + graph + demand.entries * (demand.id_bytes + demand.attribute_bytes),
        segments=segments,
        search=segments * longer * constants["hnsw.search"].at(demand.dimension),
        building=demand.entries * longer * constants["hnsw.row"].at(demand.dimension),
    )
