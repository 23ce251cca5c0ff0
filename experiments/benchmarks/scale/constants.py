"""The constants of `holdfast plan`, measured on the machine at hand, and how far a plan is right with them.

    python -m experiments.benchmarks --only constants                # measured, and checked at two sizes
    python -m experiments.benchmarks.scale.constants -o FILE         # for `holdfast plan --constants FILE`
    python -m experiments.benchmarks.scale.constants --quick -o FILE # small sizes: does it run at all?

An interrupted command goes on where it was. One core does everything; speeds are the best of some rounds.
What comes with the package is `platform/holdfast/capacity/constants.json`, written by the second command.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from experiments.benchmarks.harness.cells import Cells
from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.command import run_command
from experiments.benchmarks.harness.context import describe_context
from experiments.benchmarks.harness.filled import HOURS
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.harness.rows import Row, for_the_record
from experiments.benchmarks.harness.table import describe
from experiments.benchmarks.scale import at_dimension, rates, stores
from holdfast.capacity import Constant, Constants
from holdfast.index import IndexConfig, code_size

COMMAND = "python -m experiments.benchmarks.scale.constants"
ONE_CORE = {"OMP_NUM_THREADS": "1"}

_SEARCHED, _SIZING = (
    "docs/results.md, speed and memory: `python -m experiments.benchmarks --only serving`",
    "Alibaba Cloud's Milvus resource calculator (page of 20 June 2026), 8 million x 768, HNSW, M = 4",
)
TAKEN = {
    # 637 requests a second on two cores.
    "request": Constant(value=2 / 637, unit="s of a core a request, all but the search", source=_SEARCHED),
    "milvus.segment": Constant(
        value=2.0**30, unit="bytes", source="Milvus's default, dataCoord.segment.maxSize = 1024 MB"
    ),
    # 31.2 GB are asked for; the vectors are 22.9 GiB and the links about 0.3.
    "milvus.memory": Constant(value=31.2 / 23.2, unit="times vectors and links", source=_SIZING),
    "milvus.others": Constant(value=12.0, unit="cores of all but the query nodes", source=_SIZING),
}
"""What cannot be measured here, by whose word it is."""


@dataclass(frozen=True)
class Size:
    """What is measured: stores of so many entries with these dimensions, rates over so many vectors."""

    entries: int = 50_000
    dimensions: tuple[int, int] = (128, 512)
    rated: int = 100_000
    graph: int = 10_000
    layers: int = 12


WHOLE = Size()
SMALL = Size(entries=2_000, dimensions=(16, 32), rated=4_000, graph=1_000, layers=1)


def measure_constants(cells: Part, size: Size, machine: str) -> Constants:
    """Each dimension in a process of its own, and none twice."""

    found: dict[int, dict[str, dict[str, Any]]] = {}
    for dimension in size.dimensions:
        shape = {"dimension": dimension, "entries": size.entries, "rated": size.rated, "graph": size.graph}
        found[dimension] = _child(cells, at_dimension.__name__, shape)
    embedded = _child(cells, rates.__name__, {"layers": size.layers})
    return assembled(size, found, embedded, machine)


def _child(cells: Part, module: str, options: dict[str, int]) -> dict[str, Any]:
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    title = " ".join([module.rpartition(".")[2], *given])
    return cells(title, lambda: measure_in_child(module, given, ONE_CORE, timeout=HOURS))


def assembled(
    size: Size, found: dict[int, dict[str, dict[str, Any]]], embedded: dict[str, Any], machine: str
) -> Constants:
    least, most = size.dimensions
    demand = stores.demand_of(size.entries, least, 0.95)
    by_name: dict[str, Constant] = {}

    def put(name: str, value: Any, unit: str) -> None:
        by_name[name] = Constant(value=value, unit=unit, source=f"measured: {COMMAND}")

    def curve(of: Callable[[int, dict[str, dict[str, Any]]], float]) -> list[tuple[float, float]]:
        """By dimension."""
        return [(float(dimension), of(dimension, found[dimension])) for dimension in size.dimensions]

    def each(what: str, figure: str) -> list[tuple[float, float]]:
        return curve(lambda _, cells: cells[what][figure])

    # The larger of two dimensions moves more bytes with each call, as large galleries do.
    largest = found[most]
    scan = largest["vectors"]["vector_scan"]
    put("vector_scan", scan, "bytes of vectors a second and core")
    put("multiplications", largest["vectors"]["multiplications"], "with an addition, a second and core")
    put("read_row", curve(lambda _, cells: cells["exact"]["reading"] / size.entries), "s, by dimension")
    put("map_row", each("map", "map_row"), "s an entry, by dimension, durable, SQLite")
    for database, cell in {"sqlite": "fill", "postgresql": "postgresql"}.items():
        put(f"write_row.{database}", each(cell, "write_row"), "s an entry, by dimension, durable")
        put(
            f"row_bytes.{database}",
            curve(lambda _, cells, cell=cell: cells[cell]["database_bytes"] / size.entries),  # type: ignore[misc]
            "bytes an entry, by dimension",
        )
    put("lists_measured", float(size.entries), "entries of the index whose lists were read")
    put("row_text", float(2 * demand.id_bytes + demand.attribute_bytes), "bytes of it are id and attributes")
    put(
        "search_rest.exact",
        curve(lambda d, cells: max(2e-5, cells["exact"]["search"] - 4 * d * size.entries / scan)),
        "s of a search beside the vectors, by dimension",
    )
    for kind in rates.KINDS:
        config = IndexConfig.model_validate({"codes": kind})
        speed = largest[f"rates of {kind}"]["code_scan"]
        put(f"code_scan.{kind}", speed, "bytes of codes a second and core")
        visits = f"rates of {kind}"
        put(f"list_visit.{kind}", each(visits, "list_visit"), "s beside the codes, by dimension")
        put(f"code_row.{kind}", each(visits, "code_row"), "s an entry beside its list, by dimension")
        put(f"code_training.{kind}", each(visits, "code_training"), "s, by dimension")
        put(f"search_rest.{kind}", curve(partial(_rest, kind, size.entries, scan, speed)), "s, by dimension")
        tuned = largest[kind]["tuned"]
        put(f"lists_read.{kind}", [(recall, read) for recall, read, _, _ in tuned], "by recall@10")
        put(
            f"lists_growth.{kind}", largest[visits]["lists_growth"], "power of the entries that it grows with"
        )
        put(f"candidates.{kind}", [(recall, again) for recall, _, again, _ in tuned], "a hit, by recall@10")
        codes = size.entries * (code_size(most, config) + 8)
        room = (largest[kind]["memory"] - 4 * most * largest[kind]["lists"]) / codes
        put(f"code_room.{kind}", max(1.0, room), "times the codes and ids")
    loaded = largest["exact"]
    put("snapshot_load", loaded["snapshot"] / loaded["loading"], "bytes a second")
    put("process", largest["sq8"]["process"], "bytes of a process that searches, without its index")
    put("hnsw.row", each("graph", "row"), "s of a core an entry, by dimension")
    put("hnsw.search", each("graph", "search"), "s of a core, by dimension")
    put("hnsw.links", largest["graph"]["links"], "bytes an entry beside its vector")
    put("hnsw.measured", float(size.graph), "entries of the graph that was measured")
    put("milvus.recall", largest["graph"]["recall"], "recall@10 of FAISS's HNSW with the same parameters")
    put("images", embedded["images"], "a second and core: ViT-B/16 at 224 px, JPEGs of 640 x 480 decoded")
    return Constants(machine=machine, by_name=by_name | TAKEN)


def _rest(
    kind: str, entries: int, scan: float, speed: float, dimension: int, cells: dict[str, dict[str, Any]]
) -> float:
    """Seconds of a search beside centroids and lists: Python, ids, and vectors that are ranked again."""
    cell, rated = cells[kind], cells[f"rates of {kind}"]
    size = code_size(dimension, IndexConfig.model_validate({"codes": kind}))
    lists = cell["read"] * (rated["list_visit"] + entries / cell["lists"] * size / speed)
    return max(2e-5, cell["search"] - 4 * cell["lists"] * dimension / scan - lists)


def measure(cells: Part, quick: bool) -> list[Row]:
    """The constants, and two galleries beside what is predicted of them."""
    from experiments.benchmarks.scale import checking

    size = SMALL if quick else WHOLE
    constants = measure_constants(cells, size, "this one")
    rows = []
    for name, constant in sorted(constants.by_name.items()):
        values = [constant.value] if isinstance(constant.value, float) else [y for _, y in constant.value]
        if name not in TAKEN:
            rows.append(for_the_record(f"constant {name}", values, constant.unit))
    return [*rows, *checking.measure(cells, constants, quick)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON")
    parser.add_argument("--quick", action="store_true", help="small sizes; no figure means anything then")
    parser.add_argument("--results", type=Path, default=RESULTS / "bench", help="folder of what is done")
    given = parser.parse_args()
    context = describe_context(given.quick)
    folder = given.results / "quick" if given.quick else given.results
    part = Part("constants", Cells(folder), context, tell=print)
    constants = measure_constants(part, SMALL if given.quick else WHOLE, describe(context))
    given.output.write_text(json.dumps(constants.model_dump(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    run_command(main)
