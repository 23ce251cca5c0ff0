"""All of a plan: every index, the database, embedding the queries, and every way to upgrade."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from holdfast.capacity.constants import Constants
from holdfast.capacity.database import DatabasePlan, database_plan
from holdfast.capacity.demand import GIB, Demand, Machine
from holdfast.capacity.index_plan import BUSY, MONTH, IndexPlan, index_plans
from holdfast.capacity.local_index import LOCAL_KINDS, local_size
from holdfast.capacity.upgrades import UpgradePlan, Upgrading


@dataclass(frozen=True)
class Plan:
    """What a demand takes; bytes, hours, money a month where nothing else is said.

    Attributes:
        chosen: the cheapest index that the machines can hold, None where none can.
        embedding_machines, embedding_price: for queries that come as images.
        database_price: of its machine and disk.
        upgrades: each beside the chosen index.
        totals: by way, of the chosen index, the database, embedding queries and the upgrades.
    """

    demand: Demand
    machine: Machine
    indexes: tuple[IndexPlan, ...]
    chosen: str | None
    database: DatabasePlan
    database_price: float
    embedding_machines: int
    embedding_price: float
    upgrades: tuple[UpgradePlan, ...]
    totals: dict[str, float]
    constants: Constants

    def as_dict(self) -> dict[str, Any]:
        """For a program."""
        answer = {
            name: value
            for name, value in vars(self).items()
            if name not in ("demand", "machine", "indexes", "database", "upgrades", "constants")
        }
        return {
            "demand": self.demand.model_dump(),
            "machine": self.machine.model_dump(),
            "indexes": [asdict(each) for each in self.indexes],
            "database": asdict(self.database),
            "upgrades": [asdict(each) for each in self.upgrades],
            **answer,
            "constants": self.constants.model_dump(),
        }


def make_plan(demand: Demand, machine: Machine, constants: Constants) -> Plan:
    """Every index, the cheapest of which stands below every way to upgrade."""
    indexes = index_plans(demand, machine, constants)
    possible = [each for each in indexes if each.price is not None]
    chosen = min(possible, key=lambda each: each.price or 0.0, default=None)
    alone = chosen is not None and chosen.machines == 1
    database = database_plan(demand, "sqlite" if alone else "postgresql", constants)
    own = next((kind for kind in LOCAL_KINDS if chosen is not None and kind == chosen.kind), None)
    upgrading = Upgrading(
        demand,
        machine,
        database.kind,
        None if own is None else local_size(demand, own, constants),
        constants,
    )
    embedding = math.ceil(demand.queries_per_second / BUSY / upgrading.embedded_per_second)
    embedding_price = embedding * machine.price_of_embedding * MONTH
    # SQLite lies on the machine that searches.
    a_machine = 0.0 if alone else machine.price * MONTH
    database_price = a_machine + database.disk / GIB * machine.disk_price
    upgrades = upgrading.plans()
    always = database_price + embedding_price
    return Plan(
        demand=demand,
        machine=machine,
        indexes=tuple(indexes),
        chosen=None if chosen is None else chosen.kind,
        database=database,
        database_price=database_price,
        embedding_machines=embedding,
        embedding_price=embedding_price,
        upgrades=tuple(upgrades),
        totals={}
        if chosen is None
        else {each.way: (chosen.price or 0.0) + always + each.price_a_month for each in upgrades},
        constants=constants,
    )
