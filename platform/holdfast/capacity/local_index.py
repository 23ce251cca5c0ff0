"""The index that every gateway holds in its own memory: how large it is, and how long it takes."""

from dataclasses import dataclass
from typing import Literal

from holdfast.capacity.constants import Constants
from holdfast.capacity.demand import Demand
from holdfast.index import IndexConfig, code_size, lists_for, training_operations, training_size

LocalKind = Literal["exact", "sq8", "pq4"]
LOCAL_KINDS: tuple[LocalKind, ...] = ("exact", "sq8", "pq4")

_HITS = 10
_LEAST = 30  # candidates that are ranked again at least
_ID = 8  # bytes beside a code in its list
_NAME = 6 + 8 + 8 + 4  # of a record's head, its start, its hash and its slot
_CHANGED = 8
_COLUMN = 8 + 4  # of an attribute: its number and its code
_GROWN = 2  # times that whole vectors lie in memory which grows by doubling, at most
_CHUNK, _COPIES = 65_536, 3  # vectors that are coded at a time, and copies of them meanwhile
_TUNED_BY = 128  # queries that the number of lists is chosen by


@dataclass(frozen=True)
class LocalSize:
    """One index in one process; bytes, and seconds of one core.

    Attributes:
        memory: of the codes or vectors, once it is built or loaded; mapped files are left out.
        building_memory: while it is built from a full database at once, which first holds whole vectors.
        snapshot: of the files of one snapshot.
        disk: of two snapshots, since one is there while the next is written, and of what it maps itself.
        search: one search.
        reading: of all entries from a full database; building: what comes after it, by as many cores as there
            are; loading: a snapshot instead of both, its checksums included.
        lists: how many there are, 0 for none; read: by a search.
        candidates: vectors that a search reads from a mapped file; from the disk where memory does not
            hold them.
    """

    kind: LocalKind
    memory: float
    building_memory: float
    snapshot: float
    disk: float
    search: float
    reading: float
    building: float
    loading: float
    lists: int = 0
    read: int = 0
    candidates: int = 0


def local_size(demand: Demand, kind: LocalKind, constants: Constants) -> LocalSize:
    """The index of all entries as those of one version."""
    return _exact(demand, constants) if kind == "exact" else _quantized(demand, kind, constants)


def _exact(demand: Demand, constants: Constants) -> LocalSize:
    vectors = 4.0 * demand.dimension * demand.entries
    beside = _beside(demand)
    return LocalSize(
        kind="exact",
        memory=vectors,
        building_memory=_GROWN * vectors,
        snapshot=vectors + beside,
        disk=2 * (vectors + beside) + beside,
        search=constants["search_rest.exact"].at(demand.dimension)
        + vectors / constants["vector_scan"].number,
        reading=_reading(demand, constants),
        building=0.0,
        loading=(vectors + beside) / constants["snapshot_load"].number,
    )


def _quantized(demand: Demand, kind: Literal["sq8", "pq4"], constants: Constants) -> LocalSize:
    entries, dimension = demand.entries, demand.dimension
    config = IndexConfig(kind="quantized", codes=kind, target_recall=demand.recall)
    lists, size = lists_for(entries, config), code_size(dimension, config)
    centroids = 4.0 * lists * dimension
    sample, chunk = training_size(entries, config), min(entries, _CHUNK)
    codes = float(entries) * (size + _ID)
    held = codes * constants[f"code_room.{kind}"].number + centroids
    halves = 2.0 * dimension * entries
    snapshot = codes + centroids + halves + _beside(demand)
    larger = entries / constants["lists_measured"].number
    wanted = constants[f"lists_read.{kind}"].first_from(demand.recall)
    read = min(lists, max(1, round(wanted * larger ** constants[f"lists_growth.{kind}"].number)))
    again = constants[f"candidates.{kind}"].first_from(demand.recall)
    scan = entries / lists * size / constants[f"code_scan.{kind}"].number
    search = (
        constants[f"search_rest.{kind}"].at(dimension)
        + centroids / constants["vector_scan"].number
        + read * (constants[f"list_visit.{kind}"].at(dimension) + scan)
    )
    multiplications = (
        training_operations(entries, dimension, config)
        + float(entries) * lists * dimension
        + float(_TUNED_BY) * entries * dimension
    )
    return LocalSize(
        kind=kind,
        memory=held,
        building_memory=4.0 * dimension * (_GROWN * entries + _COPIES * chunk + 2 * sample) + held,
        snapshot=snapshot,
        disk=2 * snapshot + halves + _beside(demand),
        search=search,
        reading=_reading(demand, constants),
        building=constants[f"code_training.{kind}"].at(dimension)
        + entries * constants[f"code_row.{kind}"].at(dimension)
        + multiplications / constants["multiplications"].number
        + _TUNED_BY * _tried(read) * search,
        loading=snapshot / constants["snapshot_load"].number,
        lists=lists,
        read=read,
        candidates=round(max(_LEAST, again * _HITS)),
    )


def _reading(demand: Demand, constants: Constants) -> float:
    return demand.entries * constants["read_row"].at(demand.dimension)


def _beside(demand: Demand) -> float:
    """Bytes of ids, attributes and their columns, which are mapped."""
    entry = _NAME + _CHANGED + demand.id_bytes + demand.attribute_bytes + _COLUMN * demand.attributes
    return float(demand.entries) * entry


def _tried(read: int) -> int:
    """How many numbers of lists are tried until the right one is found: each a quarter more."""
    tried, number = 1, 1
    while number < read:
        tried, number = tried + 1, number + max(1, number // 4)
    return tried
