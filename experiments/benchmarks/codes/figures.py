"""Every query's figures in the cells of one data set, and the names of the rows."""

from collections.abc import Mapping

import numpy as np

from experiments.benchmarks.codes.scoring import PRECISE
from experiments.benchmarks.harness.cells import Cells, Name
from experiments.benchmarks.methods.results import difference
from holdfast.evaluation import Interval

Row = tuple[str, str]
"""Network and coder; `{bits}` in either stands for the length."""
PARTS = {"seen": "seen classes", "unseen": "unseen classes"}
OPQN: Row = ("opqn-{bits}", "own-{bits}")
FOUND: Row = ("found", "own-{bits}")
FOUND_FLOATS: Row = ("found", "float")
DPQ: Row = ("dpq-{bits}", "own-{bits}")
OWN_FLOATS: Row = ("opqn-{bits}", "float")
FLOATS: Row = ("float", "float")


def on_floats(coder: str) -> Row:
    """A coder of FAISS on the embeddings of the network that knows of no codes."""
    return "float", coder + "-{bits}"


def on_own(coder: str) -> Row:
    """A coder of FAISS on the embeddings of OPQN's network."""
    return "opqn-{bits}", coder + "-{bits}"


class Figures:
    """Every query's figures, and what is made of them."""

    def __init__(self, cells: Cells, where: str) -> None:
        self._cells = cells
        self._names = [name for name in cells.names() if name.benchmark == where]
        self._values: dict[Name, Mapping[str, np.ndarray]] = {}

    def of(self, row: Row, bits: int, part: str) -> dict[int, np.ndarray]:
        """Seed -> average precision of every query, percent; empty where nothing was measured. `bits` fills
        the row's places."""
        network, coder = (each.format(bits=bits) for each in row)
        found = {}
        for name in self._of(network):
            if name not in self._values:
                self._values[name] = self._cells.outcomes(name)
            values = self._values[name].get(f"{coder}/{part}")
            if values is not None:
                found[name.seed] = 100.0 * values / PRECISE
        return found

    def mean(self, row: Row, bits: int, part: str, metric: str) -> float | None:
        """Percent, over queries and seeds."""
        network, coder = (each.format(bits=bits) for each in row)
        rows = [(self._cells.record(name) or {}).get("rows", {}) for name in self._of(network)]
        means = [one[coder][part][metric] for one in rows if part in one.get(coder, {})]
        return float(np.mean(means)) if means else None

    def _of(self, network: str) -> list[Name]:
        return [name for name in self._names if name.method == network]

    def lead(self, one: Row, other: Row, bits: int, part: str) -> Interval | None:
        """The mAP of one row less that of another, over the seeds that have both."""
        return difference(self.of(one, bits, part), self.of(other, bits, part))
