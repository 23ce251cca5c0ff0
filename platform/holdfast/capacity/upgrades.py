"""What a new version costs: nothing, a map over all entries, the images that queries meet, or all images."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.capacity.constants import Constants
from holdfast.capacity.database import Database, row_bytes
from holdfast.capacity.demand import DAY, Demand, Machine
from holdfast.capacity.local_index import LocalSize


@dataclass(frozen=True)
class UpgradePlan:
    """One upgrade.

    Attributes:
        way: `none`, `map`, `cascade` or `re-embed`.
        entries: that are written again; images: that are read and embedded.
        read_bytes: of image files; written_bytes: of rows in the database.
        machine_hours: of all machines that work on it; hours: until it is done, by `machines` of them.
        index_core_hours: that each gateway follows with, where the index is of its own; None for Milvus.
        images_per_second: that the queries want embedded at the beginning (a cascade), or that the machines
            embed.
        price: of one upgrade; price_a_month: of those of a month.
        needs: what has to hold for this way.
    """

    way: str
    entries: float
    images: float
    read_bytes: float
    written_bytes: float
    machine_hours: float
    machines: int
    hours: float
    index_core_hours: float | None
    images_per_second: float
    price: float
    price_a_month: float
    needs: str


@dataclass(frozen=True)
class Upgrading:
    """All that the four ways have in common.

    Attributes:
        index: that each gateway has of its own, None for Milvus.
    """

    demand: Demand
    machine: Machine
    database: Database
    index: LocalSize | None
    constants: Constants

    @property
    def embedded_per_second(self) -> float:
        """By one machine."""
        return self.machine.images_per_second or self.constants["images"].number * self.machine.cores

    def plans(self) -> list[UpgradePlan]:
        """From the cheapest way to the dearest, as a rule."""
        ways: list[Callable[[], UpgradePlan]] = [self._none, self._map, self._cascade, self._re_embed]
        return [way() for way in ways]

    def _none(self) -> UpgradePlan:
        return self._plan("none", needs="versions that were trained to be compatible, and measured so")

    def _map(self) -> UpgradePlan:
        return self._plan(
            "map",
            entries=self.demand.entries,
            row="map_row",
            needs="an adapter whose loss was measured and is small enough; no images",
        )

    def _cascade(self) -> UpgradePlan:
        demand = self.demand
        recalled = demand.queries_per_second * demand.candidates
        everything = float(demand.entries)
        if demand.touched is None:
            # So many draws, each of any entry: those that were never drawn stay.
            met = everything * -math.expm1(-recalled * demand.upgrade_every / everything)
        else:
            met = everything * demand.touched
        return self._plan(
            "cascade",
            entries=met,
            images=met,
            within=demand.upgrade_every,
            wanted=recalled,
            needs="an adapter that recalls the right ones, and images that a gateway may read",
        )

    def _re_embed(self) -> UpgradePlan:
        everything = float(self.demand.entries)
        return self._plan(
            "re-embed", entries=everything, images=everything, needs="the images of all entries"
        )

    def _plan(
        self,
        way: str,
        needs: str,
        entries: float = 0.0,
        images: float = 0.0,
        row: str | None = None,
        within: float | None = None,
        wanted: float | None = None,
    ) -> UpgradePlan:
        """`row`: the constant of the seconds that an entry takes; `within`: seconds that there are;
        `wanted`: images a second."""
        demand, machine, constants = self.demand, self.machine, self.constants
        a_row = constants[row or f"write_row.{self.database}"].at(demand.dimension)
        on_rows = entries * a_row / machine.cores / 3600
        on_images = images / self.embedded_per_second / 3600
        total = on_rows + on_images
        available = (demand.deadline if within is None else within) / 3600
        machines = math.ceil(total / available)
        price = on_rows * machine.price + on_images * machine.price_of_embedding
        return UpgradePlan(
            way=way,
            entries=entries,
            images=images,
            read_bytes=images * demand.image_bytes,
            written_bytes=entries * row_bytes(demand, self.database, constants),
            machine_hours=total,
            machines=machines,
            hours=total / machines if machines else 0.0,
            index_core_hours=None if self.index is None else self._following(self.index, entries) / 3600,
            images_per_second=wanted
            if wanted is not None
            else machines * self.embedded_per_second
            if images
            else 0.0,
            price=price,
            price_a_month=price * 30 * DAY / demand.upgrade_every,
            needs=needs,
        )

    def _following(self, index: LocalSize, entries: float) -> float:
        """Seconds of a core for so many changed entries: read, and given new codes in the lists there are."""
        demand, constants = self.demand, self.constants
        a_row = constants["read_row"].at(demand.dimension)
        if index.kind != "exact":
            a_row += constants[f"code_row.{index.kind}"].at(demand.dimension)
            a_row += index.lists * demand.dimension / constants["multiplications"].number
        return entries * a_row
