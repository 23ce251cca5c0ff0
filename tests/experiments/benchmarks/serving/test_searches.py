"""The comparison with LanceDB and pgvector runs, in a small form."""

from pathlib import Path

from experiments.benchmarks.serving.searches import RECALL, measure


def test_all_find_the_exact_answers_and_are_asked_in_turns(tmp_path: Path) -> None:
    found = measure(tmp_path, entries=2_000, rounds=1, seconds=1.0)
    assert found["lancedb_recall"] == 1.0
    assert found["pgvector_recall"] >= RECALL
    for other in ("lancedb", "pgvector"):
        (theirs,), (ours,) = found[f"{other}_per_second"], found["holdfast_per_second"]
        assert found[f"{other}_ratio"] == ours / theirs > 0
        assert found[f"{other}_p99_ms"][0] > 0
