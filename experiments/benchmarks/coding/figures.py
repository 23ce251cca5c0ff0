"""Every query's figures in the cells of one data set, and the plot of mAP over the length of a code."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from comparison.kept import Cells, Name
from comparison.results import difference
from drawing import CONTROL, STRONG

from holdfast.evaluation import Interval

Row = tuple[str, str]
"""Network and coder; `{bits}` in either stands for the length."""
PARTS = {"seen": "seen classes", "unseen": "unseen classes"}
OPQN: Row = ("opqn-{bits}", "own-{bits}")
DPQ: Row = ("dpq-{bits}", "own-{bits}")
OWN_FLOATS: Row = ("opqn-{bits}", "float")
FLOATS: Row = ("float", "float")
COLORS = {"OPQN": STRONG, "DPQ": "#7c3aed", "OPQ": "#2563eb", "PQ": "#0891b2", "scalar": "#65a30d"}


def on_floats(coder: str) -> Row:
    """A coder of FAISS on the embeddings of the network that knows of no codes."""
    return "float", coder + "-{bits}"


class Figures:
    """Every query's figures, and what is made of them."""

    def __init__(self, cells: Cells, where: str) -> None:
        self._cells = cells
        self._names = [name for name in cells.names() if name.benchmark == where]
        self._values: dict[Name, Mapping[str, np.ndarray]] = {}

    def of(self, row: Row, bits: int, part: str, metric: str) -> dict[int, np.ndarray]:
        """Seed -> percent of every query; empty where nothing was measured."""
        network, coder = (each.format(bits=bits) for each in row)
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

    def mean(self, row: Row, bits: int, part: str, metric: str) -> float | None:
        values = self.of(row, bits, part, metric)
        return float(np.mean([v.mean() for v in values.values()])) if values else None

    def lead(self, one: Row, other: Row, bits: int, part: str) -> Interval | None:
        """The mAP of one row less that of another, over the seeds that have both."""
        return difference(self.of(one, bits, part, "map"), self.of(other, bits, part, "map"))


def draw_lengths(figures: Figures, title: str, bits: Sequence[int]) -> Any:
    """mAP over the length of a code, seen classes beside unseen ones; None if there is nothing to draw."""
    rows = {
        "OPQN": OPQN,
        "DPQ": DPQ,
        "OPQ": on_floats("opq"),
        "PQ": on_floats("pq"),
        "scalar": on_floats("sq"),
    }
    figure, places = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    drawn = False
    for axes, (part, said) in zip(places, PARTS.items(), strict=True):
        for name, row in rows.items():
            points = [(length, figures.mean(row, length, part, "map")) for length in bits]
            points = [(length, mean) for length, mean in points if mean is not None]
            if points:
                width = 2.2 if name == "OPQN" else 1.2
                axes.plot(*zip(*points, strict=True), "o-", color=COLORS[name], linewidth=width, label=name)
                drawn = True
        floats = figures.mean(FLOATS, 0, part, "map")
        if floats is not None:
            axes.axhline(floats, color=CONTROL, linestyle="--", linewidth=1, label="floats")
        axes.set(xlabel="bits of a code", xticks=list(bits), title=said)
    places[0].set_ylabel("mAP, %")
    places[1].legend(fontsize=7, frameon=False)
    figure.suptitle(f"{title}: PQ, OPQ and scalar on the network without codes", fontsize=9)
    if not drawn:
        plt.close(figure)
        return None
    return figure
