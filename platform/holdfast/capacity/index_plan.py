"""How many machines an index takes: what each has to hold, and what the queries ask of all of them."""

import math
from dataclasses import dataclass

from holdfast.capacity.constants import Constants
from holdfast.capacity.demand import GIB, Demand, Machine
from holdfast.capacity.local_index import LOCAL_KINDS, LocalKind, local_size
from holdfast.capacity.milvus import milvus_size

BUSY = 0.7  # of a core's time, at most: what is busier answers late
USABLE = 0.8  # of a machine's memory: the rest is the system's and of files that are read again and again
MONTH = 730.0  # hours
MOST = 2**31 - 1  # entries of a version that an index in this process can number


@dataclass(frozen=True)
class IndexPlan:
    """Machines for one kind of index, gateways included; bytes, hours, money a month.

    Attributes:
        recall: recall@10 that is promised, 1 for exact.
        memory, disk: of one gateway's copy; of the whole cluster for Milvus.
        building_memory: while it is built from a full database at once.
        search_core_seconds: of one search; on one core also how long it takes.
        disk_reads_per_second: in all, where memory does not hold what is ranked again.
        gateways: processes that answer; machines: for all of it, None where it cannot be.
        bound_by: `memory` or `queries`, whichever asks for more machines.
        building_hours: by all cores of one machine, of all machines for Milvus.
        starting_hours: of a gateway from a snapshot.
        price: of machines and disks.
        remarks: what has to be known, in sentences.
    """

    kind: str
    recall: float
    memory: float
    disk: float
    building_memory: float
    search_core_seconds: float
    disk_reads_per_second: float
    gateways: int
    machines: int | None
    bound_by: str
    building_hours: float
    starting_hours: float
    price: float | None
    remarks: tuple[str, ...] = ()


def index_plans(demand: Demand, machine: Machine, constants: Constants) -> list[IndexPlan]:
    """Of every kind: exact, codes, Milvus."""
    local = [_local(demand, machine, kind, constants) for kind in LOCAL_KINDS]
    return [*local, _milvus(demand, machine, constants)]


def _local(demand: Demand, machine: Machine, kind: LocalKind, constants: Constants) -> IndexPlan:
    size = local_size(demand, kind, constants)
    a_gateway = size.memory + constants["process"].number
    holds = min(machine.cores, math.floor(USABLE * machine.memory / a_gateway))
    if demand.entries > MOST:
        holds = 0
    asked = _gateways(demand, constants)
    by_queries = _machines_for(demand, machine, size.search, constants)
    by_memory = math.ceil(asked / holds) if holds else None
    machines = None if by_memory is None else max(by_memory, by_queries)
    remarks = []
    if demand.entries > MOST:
        remarks.append(f"an index in a gateway holds at most {MOST:,} entries of a version")
    elif machines is None:
        needed = a_gateway / USABLE / GIB
        remarks.append(f"a gateway wants a machine of {needed:,.0f} GiB")
    elif size.building_memory > USABLE * machine.memory:
        larger = size.building_memory / USABLE / GIB
        remarks.append(
            f"built from a full database at once it wants {larger:,.0f} GiB: let it grow with the gallery, "
            "and start others from a snapshot"
        )
    return IndexPlan(
        kind=kind,
        recall=1.0 if kind == "exact" else demand.recall,
        memory=size.memory,
        disk=size.disk,
        building_memory=size.building_memory,
        search_core_seconds=size.search,
        disk_reads_per_second=size.candidates * demand.queries_per_second,
        gateways=max(asked, machines or 1),
        machines=machines,
        bound_by="memory" if by_memory is None or by_memory > by_queries else "queries",
        building_hours=(size.reading + size.building / machine.cores) / 3600,
        starting_hours=size.loading / 3600,
        price=None if machines is None else _price(machine, machines, max(asked, machines) * size.disk),
        remarks=tuple(remarks),
    )


def _milvus(demand: Demand, machine: Machine, constants: Constants) -> IndexPlan:
    size = milvus_size(demand, constants)
    by_memory = math.ceil(size.memory / (USABLE * machine.memory))
    by_queries = math.ceil(_cores_for(demand, size.search) / machine.cores)
    asking = _machines_for(demand, machine, 0.0, constants)
    machines = (
        max(by_memory, by_queries) + asking + math.ceil(constants["milvus.others"].number / machine.cores)
    )
    remarks = (
        [f"a search asks {size.segments:,} segments, each a graph of its own"] if size.segments > 1 else []
    )
    if demand.recall > constants["milvus.recall"].number:
        reached = constants["milvus.recall"].number
        remarks.append(f"its default parameters reach {reached:.2f}: more recall costs more than this")
    return IndexPlan(
        kind="milvus",
        recall=min(demand.recall, constants["milvus.recall"].number),
        memory=size.memory,
        disk=size.disk,
        building_memory=size.memory,
        search_core_seconds=size.search,
        disk_reads_per_second=0.0,
        gateways=_gateways(demand, constants),
        machines=machines,
        bound_by="memory" if by_memory > by_queries else "queries",
        building_hours=size.building / (max(by_memory, by_queries) * machine.cores) / 3600,
        starting_hours=0.0,
        price=_price(machine, machines, size.disk),
        remarks=tuple(remarks),
    )


def _cores_for(demand: Demand, seconds: float) -> float:
    """Cores that so many seconds a query keep as busy as they may be."""
    return demand.queries_per_second * seconds / BUSY


def _machines_for(demand: Demand, machine: Machine, search: float, constants: Constants) -> int:
    """That answer all queries, each with so many seconds in the index."""
    return math.ceil(_cores_for(demand, constants["request"].number + search) / machine.cores)


def _gateways(demand: Demand, constants: Constants) -> int:
    """One core each for all but the search, which lets others run beside it."""
    return math.ceil(_cores_for(demand, constants["request"].number))


def _price(machine: Machine, machines: int, disk: float) -> float:
    """A month."""
    return machines * machine.price * MONTH + disk / GIB * machine.disk_price
