"""The tables of the benchmark: means over the seeds, and OPQN's lead with its paired interval."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from comparison.kept import Cells, Name
from comparison.results import difference

from coding.networks import Network
from coding.scoring import METRICS
from coding.sets import RetrievalSet

Row = tuple[str, str]
"""Network and coder."""
PARTS = {"seen": "seen classes", "unseen": "unseen classes"}


class Figures:
    """Every query's figures in the cells of one data set."""

    def __init__(self, cells: Cells, where: str) -> None:
        self._cells = cells
        self._names = [name for name in cells.names() if name.benchmark == where]
        self._values: dict[Name, Mapping[str, np.ndarray]] = {}

    def of(self, row: Row, part: str, metric: str) -> dict[int, np.ndarray]:
        """Seed -> percent of every query; empty where nothing was measured."""
        network, coder = row
        found = {}
        for name in self._names:
            if name.method != network:
                continue
            if name not in self._values:
                self._values[name] = self._cells.bits(name)
            values = self._values[name].get(f"{coder}/{part}/{metric}")
            if values is not None:
                found[name.seed] = 100.0 * values.astype(np.float64)
        return found

    def mean(self, row: Row, part: str, metric: str) -> float | None:
        values = self.of(row, part, metric)
        return float(np.mean([v.mean() for v in values.values()])) if values else None


def render(
    cells: Cells,
    sets: Sequence[RetrievalSet],
    networks: Sequence[Network],
    bits: Sequence[int],
    command: str,
    machine: Mapping[str, Any],
) -> str:
    """The page, from whatever cells are there."""
    lines = ["# Compact codes", "", f"`{command}`", ""]
    lines += [", ".join(f"{key} {value}" for key, value in machine.items() if value is not None), ""]
    lines += [
        "mAP over the ranking of all entries, precision@5 and Recall@1 in percent, means over the seeds. "
        "*Lead*: OPQN's mAP minus the row's, with the 95 % interval over seeds and queries, both drawn in "
        "pairs. Queries are never coded. RaBitQ keeps 64 bits more beside every code.",
        "",
    ]
    for where in sets:
        figures = Figures(cells, where.name)
        lines += [f"## {where.title}", ""]
        for part, said in PARTS.items():
            lines += [f"### {where.title}, {said}", "", *_table(figures, part, networks, bits), ""]
    return "\n".join(lines)


def _table(figures: Figures, part: str, networks: Sequence[Network], bits: Sequence[int]) -> Iterator[str]:
    yield f"| bits | coder | {' | '.join(METRICS.values())} | lead in mAP | seeds |"
    yield "|---" * (len(METRICS) + 4) + "|"
    for length, title, row in _rows(networks, bits):
        seeds = figures.of(row, part, "map")
        if not seeds:
            continue
        means = [figures.mean(row, part, metric) for metric in METRICS]
        told = " | ".join("" if mean is None else f"{mean:.1f}" for mean in means)
        ours = figures.of((f"opqn-{length}", f"own-{length}"), part, "map") if length else {}
        own = row == (f"opqn-{length}", f"own-{length}")
        lead = difference(ours, seeds) if ours and not own else None
        span = "" if lead is None else f"{lead.mean:+.1f} ({lead.low:+.1f} to {lead.high:+.1f})"
        yield f"| {length or ''} | {title} | {told} | {span} | {len(seeds)} |"


def _rows(networks: Sequence[Network], bits: Sequence[int]) -> Iterator[tuple[int, str, Row]]:
    """Bits, title and place of every row: what one network was trained for, and the rest on its floats."""
    post_hoc = {"pq": "PQ", "opq": "OPQ", "sq": "scalar", "rabitq": "RaBitQ"}
    yield 0, "floats of the network without codes", ("float", "float")
    for length in bits:
        for network in (network for network in networks if network.bits == length):
            yield length, network.title, (network.name, f"own-{length}")
        yield length, "OPQN, shares as scores, as published", (f"opqn-{length}", f"share-{length}")
        yield length, "floats of OPQN's network", (f"opqn-{length}", "float")
        yield length, "floats of DPQ's network", (f"dpq-{length}", "float")
        for coder, title in post_hoc.items():
            yield length, f"{title}, network without codes", ("float", f"{coder}-{length}")
            yield length, f"{title}, OPQN's network", (f"opqn-{length}", f"{coder}-{length}")
