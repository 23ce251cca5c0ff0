"""The comparison with LanceDB runs, in a small form."""

from pathlib import Path

from experiments.benchmarks.serving.searches import measure


def test_both_find_the_exact_answers_and_are_asked_in_turns(tmp_path: Path) -> None:
    found = measure(tmp_path, entries=2_000, rounds=1, seconds=1.0)
    assert found["lancedb_recall"] == 1.0
    assert found["ratio"] == found["holdfast_per_second"][0] / found["lancedb_per_second"][0]
    assert found["ratio"] > 0
