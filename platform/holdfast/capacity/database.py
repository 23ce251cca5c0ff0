"""The entries in SQL, which are the truth: disks, and how fast rows go in."""

from dataclasses import dataclass
from typing import Literal

from holdfast.capacity.constants import Constants
from holdfast.capacity.demand import Demand

Database = Literal["sqlite", "postgresql"]


@dataclass(frozen=True)
class DatabasePlan:
    """Attributes:
    kind: PostgreSQL where more than one machine asks.
    disk: bytes.
    filling: seconds of one process that imports all entries from Parquet.
    """

    kind: Database
    disk: float
    filling: float


def database_plan(demand: Demand, kind: Database, constants: Constants) -> DatabasePlan:
    """Of all entries. Bytes of ids and attributes come on top of what was measured with few of them."""
    return DatabasePlan(
        kind=kind,
        disk=demand.entries * row_bytes(demand, kind, constants),
        filling=demand.entries * constants[f"write_row.{kind}"].at(demand.dimension),
    )


def row_bytes(demand: Demand, kind: Database, constants: Constants) -> float:
    """Of one entry, its places in the indexes included. An id lies there once more."""
    measured = constants[f"row_bytes.{kind}"].at(demand.dimension)
    known = constants["row_text"].number
    return measured + 2 * demand.id_bytes + demand.attribute_bytes - known
