"""Reading the benchmark of methods: intervals, claims and the page, on cells made by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.benchmarks.harness import cells as kept
from experiments.benchmarks.methods import claims, figures, measuring, report, results
from experiments.benchmarks.methods.protocols import all_protocols

QUERIES = 200
UPGRADE, DATA, OPEN = (
    f"omniglot-upgrade-{split}" for split in ("extended-class", "extended-data", "open-class")
)


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., Any]:
    """Writes a cell of two versions in which the first so many queries are right; returns the cells."""
    cells = kept.Cells(tmp_path)

    def write(method: str, seed: int, matrix: list[list[int]], benchmark: str = UPGRADE) -> Any:
        right = np.array(matrix)
        hits = np.arange(QUERIES) < right[:, :, None]
        recall = (100 * right / QUERIES).tolist()
        pairs = [(i, j) for i in range(len(matrix)) for j in range(i)]
        row = {
            "recall_at_1": recall,
            "self_first": recall[0][0],
            "self_last": recall[-1][-1],
            "cross": float(np.mean([recall[i][j] for i, j in pairs])),
            "last_on_first": recall[-1][0],
            "ac": float(np.mean([recall[i][j] > recall[j][j] for i, j in pairs])),
            "am": float(np.mean([recall[i][j] for i, j in [*pairs, *((i, i) for i in range(len(matrix)))]])),
            "mixed": 50.0,
            "forgetting": 1.5,
        }
        bits = {
            **measuring.outcomes_of(hits, np.arange(QUERIES) < QUERIES // 2),
            "closed": np.packbits(np.arange(40) % 2 == 0),
            "closed_tasks": np.repeat(np.arange(2), 20).astype(np.uint8),
        }
        record = {
            "id": "x",
            "versions": len(matrix),
            "queries": QUERIES,
            "chance": 0.5,
            "rows": {"": row},
            "seconds": [1.0, 2.0],
            "steps": [10, 10],
            "total_seconds": 3.0,
            "chosen": True,
        }
        cells.keep(kept.Name(benchmark, method, seed), record, bits)
        return cells

    return write


def test_held_violated_and_undecided(keep: Callable[..., Any]) -> None:
    for seed in range(5):
        keep("unibct", seed, [[100, 0], [120, 150]])
        keep("unibct", seed, [[100, 0], [80, 150]], DATA)
        keep("unibct", seed, [[100, 0], [100 + (1 if seed % 2 else -1), 150]], OPEN)
        cells = keep("independent", seed, [[100, 0], [1, 140]])
    found = {
        (one.number, one.claim.split(":")[0], one.benchmark): one
        for one in claims.findings(results.Results(cells))
    }
    assert found["2", "unibct", UPGRADE].verdict == "held"
    assert found["2", "unibct", UPGRADE].interval.mean == pytest.approx(10)
    assert found["2", "unibct", DATA].verdict == "violated"
    assert found["3", "unibct", OPEN].verdict == "undecided"
    assert found["3", "prototypes", OPEN].verdict == "not measured"
    assert found["4", "unibct", UPGRADE].verdict == "violated"
    chance = found["1", "independent initialization", UPGRADE]
    assert chance.verdict == "held"
    assert chance.interval.mean == pytest.approx(0)


def test_alike_is_within_a_point() -> None:
    from holdfast.evaluation import Interval

    alike = claims.alike
    assert alike(Interval(-0.5, 0.9, 0.1)) == "held"
    assert alike(Interval(0.5, 1.9, 1.1)) == "undecided"
    assert alike(Interval(1.5, 1.9, 1.7)) == "violated"
    assert alike(Interval(-1.9, -1.5, -1.7)) == "violated"
    assert alike(None) == "not measured"


def test_pairing_takes_out_what_both_share() -> None:
    difference = results.difference
    generator = np.random.default_rng(0)
    base = {seed: generator.normal(50 + 20 * seed, 30, size=400) for seed in range(4)}
    better = {seed: values + 1 for seed, values in base.items()}
    interval = difference(better, base)
    assert interval.low == pytest.approx(1, abs=1e-3)
    assert interval.high == pytest.approx(1, abs=1e-3)
    assert difference(better, {7: base[0]}) is None
    assert difference(better, {0: base[0][:10]}) is None


def test_the_interval_knows_both_seeds_and_queries() -> None:
    two_way = results.two_way_interval
    generator = np.random.default_rng(1)
    noise = generator.normal(0, 10, size=(5, 900))
    by_query = two_way(list(noise))
    # Drawn by queries, by seeds and by both at once, independent noise counts three times.
    expected = 1.96 * 10 / np.sqrt(5 * 900) * np.sqrt(3)
    assert (by_query.high - by_query.low) / 2 == pytest.approx(expected, rel=0.15)
    constant = [np.full(900, value) for value in (-2.0, -1.0, 0.0, 1.0, 2.0)]
    by_seed = two_way(constant)
    assert (by_seed.high - by_seed.low) / 2 == pytest.approx(1.96 * np.sqrt(2 / 5), rel=0.15)
    assert by_seed.mean == 0
    one = two_way([noise[0]])
    assert (one.high - one.low) / 2 == pytest.approx(1.96 * 10 / 30, rel=0.2)
    uneven = two_way([noise[0], noise[1][:300]])
    assert uneven.low < uneven.mean < uneven.high


def test_the_page_has_tables_plots_claims_and_what_is_missing(
    keep: Callable[..., Any], tmp_path: Path
) -> None:
    protocols = all_protocols()
    for seed in range(2):
        keep("finetune", seed, [[100, 0], [90, 150]])
        cells = keep("unibct", seed, [[100, 0], [120 - 40 * seed, 150]])
    cells.keep(kept.Name(UPGRADE, "fecd", 0), {"id": "x", "diverged": "because"}, {})
    machine = {"processor": "one", "cores": 2, "python": "3", "torch": "2"}
    context = {"trials": 5, "seeds": 2, "cores": 1, "machine": machine}
    file, images = tmp_path / "results.md", tmp_path / "images"
    written = report.render(results.Results(cells), list(protocols.values()), images, file, context)
    assert "# Every method on every benchmark" in written
    (line,) = [line for line in written.splitlines() if line.startswith("| UniBCT ")]
    cells_of = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells_of[:3] == ["UniBCT (Zhang et al. 2022)", "2", "75.0 (+0.0, +0.0 to +0.0)"]
    assert cells_of[3].startswith("50.0 (+5.0, -")
    assert cells_of[5:7] == ["0.50", "1/2"]
    assert "FECD (Chen et al. 2022): diverged: because" in written
    assert "unibct: cross-test above the old self-test" in written
    assert "- Grocery, 6 tasks by coarse class: everything" in written
    assert "independent, joint, holdfast" in written
    links = [line.split("](")[1].rstrip(")") for line in written.splitlines() if line.startswith("![")]
    assert links
    assert all((file.parent / link).is_file() for link in links)
    # Folders of results are read without the files of single cells.
    cells.gather()
    for cell in (tmp_path / "cells").rglob("*.*"):
        cell.unlink()
    again = results.Results(kept.Cells(tmp_path))
    assert again.queries(UPGRADE, ("unibct", ""), "cross")[0].mean() == 60


def test_the_front_is_what_nothing_beats_in_both() -> None:
    front = figures.pareto_front([(1, 9), (2, 8), (1, 8), (3, 3), (2, 2)])
    assert front == [(1, 9), (2, 8), (3, 3)]
