"""All that is measured of vectors of one dimension, in a process of its own; the last line is JSON.

python -m experiments.benchmarks.scale.at_dimension --dimension 128 --entries 50000 --rated 100000
python -m experiments.benchmarks.scale.at_dimension --dimension 256 --entries 100000      # the store alone
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import faiss

from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.scale import rates, stores

RECALL = 0.95


def of_store(entries: int, dimension: int, changed: bool) -> dict[str, dict[str, Any]]:
    """What a store of so many entries takes, and each index over it.

    Args:
        changed: whether all entries are mapped afterwards, and written to PostgreSQL as well.
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    # On the disk of the repository: the folder of temporary files may lie in memory.
    with tempfile.TemporaryDirectory(prefix=".scale-", dir=RESULTS) as temporary:
        folder = Path(temporary)
        found = {"fill": stores.fill(folder, entries, dimension)}
        found |= {kind: stores.index(folder, kind, RECALL) for kind in stores.KINDS}
        if changed:
            found["map"] = stores.move(folder)
            found["postgresql"] = stores.postgresql(folder, entries, dimension)
    return found


def of_rates(rated: int, graph: int, dimension: int) -> dict[str, dict[str, Any]]:
    """What one core does in a second, see `rates`."""
    found = {"vectors": rates.vectors(rated, dimension), "graph": rates.graph(graph, dimension)}
    return found | {f"rates of {kind}": rates.codes(kind, rated, dimension) for kind in rates.KINDS}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dimension", type=int, required=True)
    parser.add_argument("--entries", type=int, required=True)
    parser.add_argument("--rated", type=int, default=0, help="vectors that speeds are measured with")
    parser.add_argument("--graph", type=int, default=10_000, help="vectors in a graph")
    given = parser.parse_args()
    faiss.omp_set_num_threads(1)
    found = of_store(given.entries, given.dimension, changed=given.rated > 0)
    if given.rated:
        found |= of_rates(given.rated, given.graph, given.dimension)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
