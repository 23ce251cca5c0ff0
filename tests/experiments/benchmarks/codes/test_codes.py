"""The benchmark of compact codes: figures by their definition, and cells that are measured once."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from experiments.benchmarks.codes import coders, dpq, scoring
from experiments.benchmarks.harness.forking import run_forked
from holdfast.models import CodeShape


def blobs(count: int, dimension: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    centres = np.random.default_rng(0).normal(size=(8, dimension))
    labels = np.arange(count) % 8
    vectors = centres[labels] + np.random.default_rng(seed).normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def test_figures_of_a_full_ranking() -> None:
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(300, 40)).astype(np.float32)
    query_labels, gallery_labels = generator.integers(0, 4, 300), generator.integers(0, 4, 40)
    found = scoring.score_all(lambda rows: scores[rows], query_labels, gallery_labels)
    for row, label in enumerate(query_labels):
        right = gallery_labels == label
        first = right[np.argsort(-scores[row])]
        assert found["map"][row] == pytest.approx(average_precision_score(right, scores[row]), abs=1e-6)
        assert found["precision_at_5"][row] == pytest.approx(first[:5].mean())
        assert found["recall_at_1"][row] == first[0]


@pytest.mark.parametrize("count", [600, 2400])
def test_every_coder_finds_its_way_and_more_bits_help(count: int) -> None:
    (train, _), (queries, asks), (gallery, holds) = (blobs(n, 96, n) for n in (count, 160, 400))
    floats = scoring.score_all(coders.products(queries, gallery), asks, holds)["map"].mean()
    for name, code in coders.POST_HOC.items():
        by_bits = [
            scoring.score_all(code(bits, train)(queries, gallery), asks, holds)["map"].mean()
            for bits in (16, 64)
        ]
        assert 0.3 < by_bits[0] < by_bits[1] + 0.05, name
        assert by_bits[1] <= floats + 0.1, name


def test_learned_books_learn() -> None:
    head = dpq.DPQHead(CodeShape(32, 4, 8), 8)
    vectors, labels = blobs(400, 32, 1)
    x, y = torch.from_numpy(vectors), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(head.parameters(), 0.02)
    before = head(x, y).item()
    for _ in range(80):
        optimizer.zero_grad()
        head(x, y).backward()
        optimizer.step()
    assert head(x, y).item() < before - 1
    assert all(p.grad.isfinite().all() and p.grad.abs().max() > 0 for p in head.parameters())
    hard = head.reconstruct(vectors, hard=True)
    words = head.words.detach().numpy()
    for m, own in enumerate(hard.reshape(400, 4, 8).transpose(1, 0, 2)):
        assert np.abs(own[:, None] - words[m]).max(axis=2).min(axis=1).max() < 1e-6
    scored = scoring.score_all(coders.nearness(head.reconstruct(vectors, hard=False), hard), labels, labels)
    assert scored["map"].mean() > 0.5


def test_a_finished_cell_is_not_measured_again(tmp_path: Path) -> None:
    networks = ("float", "opqn-16", "dpq-16", "found")
    given = ["--quick", "--only", "grocery", "--seeds", "1", "--threads", "1"]
    given += ["--results", str(tmp_path / "results"), "--networks"]
    environment = {"HOLDFAST_CACHE": str(tmp_path / "cache"), "HOLDFAST_DATA": str(tmp_path)}

    def run(names: str, expected: int = 0) -> str:
        code, _, said = run_forked("experiments.benchmarks.codes", [*given, names], environment, 600)
        assert code == expected, said
        return said

    assert "0 of 1 cells are there" in run(networks[0])
    cells = tmp_path / "results" / "cells" / "grocery"
    before = (cells / "float" / "0.json").stat().st_mtime_ns
    assert "1 of 4 cells are there; 3 to measure" in run(",".join(networks))
    assert (cells / "float" / "0.json").stat().st_mtime_ns == before

    record = json.loads((cells / "opqn-16" / "0.json").read_text())
    assert set(record["rows"]) == {"float", "own-16", "share-16", "pq-16", "opq-16", "sq-16", "rabitq-16"}
    found = json.loads((cells / "found" / "0.json").read_text())
    assert set(found["rows"]) == {
        "float",
        *(f"{coder}-{n}" for coder in ("own", "opq-distance") for n in (16, 32)),
    }
    for figures in (*record["rows"].values(), *found["rows"].values()):
        assert set(figures) == {"seen", "unseen"}
        assert all(0 < value <= 100 for means in figures.values() for value in means.values())
    page = (tmp_path / "results" / "report.md").read_text()
    assert "### Grocery" in page
    assert page.count("\n| DPQ | ") == 2
    assert "| PQ, network without codes | " in page
    assert "| OPQN above DPQ, unseen classes | " in page
    assert "| over DPQ, seen classes | " in page
    assert "| found points, over OPQ scored by distance, unseen classes | " in page
    page = (tmp_path / "results" / "results.md").read_text()
    assert "| over DPQ, seen classes | " in page
    (link,) = [line.split("](")[1].rstrip(")") for line in page.splitlines() if line.startswith("![")]
    assert (tmp_path / "results" / link).is_file()

    assert "No network is called opqn-17; there are float, found, opqn-16" in run("opqn-17", expected=1)
