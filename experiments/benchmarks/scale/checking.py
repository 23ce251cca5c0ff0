"""A plan beside galleries that fit: what it says of memory, disks and hours, and what they are.

Sizes and dimensions are others than those that the constants were measured with.
"""

from typing import Any

from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.filled import HOURS
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.rows import Row, for_the_record
from experiments.benchmarks.scale import at_dimension, stores
from holdfast.capacity import Constants, LocalKind, database_plan, local_size

SIZES = ((100_000, 256), (1_000_000, 128))
SMALL_SIZES = ((3_000, 24),)
FIGURES = ("memory", "building_memory", "snapshot", "reading", "building", "loading", "search")
KINDS: tuple[LocalKind, ...] = ("exact", "sq8", "pq4")


def measure(cells: Part, constants: Constants, quick: bool) -> list[Row]:
    """How many times what was predicted each figure is."""
    rows = []
    for entries, dimension in SMALL_SIZES if quick else SIZES:
        what = f"{entries:,} x {dimension}"
        for kind, figures in compared(cells, constants, entries, dimension).items():
            for figure, (predicted, measured, unit) in figures.items():
                said = f"{what}: {predicted:.3g} {unit} predicted, {measured:.3g} measured"
                name = f"plan, {kind}: {figure.replace('_', ' ')}"
                rows.append(for_the_record(name, [measured / predicted], "times what is said", said))
    return rows


def compared(
    cells: Part, constants: Constants, entries: int, dimension: int
) -> dict[str, dict[str, tuple[float, float, str]]]:
    """By index or database, by figure: predicted, measured, unit."""
    given = ["--dimension", str(dimension), "--entries", str(entries)]
    cell = cells(
        f"check {entries} x {dimension}",
        lambda: measure_in_child(at_dimension.__name__, given, {"OMP_NUM_THREADS": "1"}, timeout=HOURS),
    )
    return beside(constants, cell, entries, dimension)


def beside(
    constants: Constants, cell: dict[str, dict[str, Any]], entries: int, dimension: int
) -> dict[str, dict[str, tuple[float, float, str]]]:
    """The same of what `at_dimension.of_store` measured."""
    demand = stores.demand_of(entries, dimension, at_dimension.RECALL)
    database = database_plan(demand, "sqlite", constants)
    filled = cell["fill"]
    found = {
        "sqlite": {
            "disk": (database.disk, float(filled["database_bytes"]), "bytes"),
            "filling": (database.filling, filled["write_row"] * entries, "s"),
        }
    }
    for kind in KINDS:
        size, actual = local_size(demand, kind, constants), cell[kind]
        found[kind] = {
            figure: (
                getattr(size, figure),
                float(actual[figure]),
                "bytes" if "memory" in figure or figure == "snapshot" else "s",
            )
            for figure in FIGURES
            # Nothing comes after the reading.
            if not (kind == "exact" and figure == "building")
        }
    return found
