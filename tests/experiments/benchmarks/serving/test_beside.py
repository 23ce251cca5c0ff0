"""Searches beside an import, a backfill and versions that load, in a small form."""

from pathlib import Path

from experiments.benchmarks.serving.beside import measure


def test_no_search_fails_beside_whatever_the_gallery_is_busy_with(tmp_path: Path) -> None:
    found = measure(tmp_path, entries=3_000, seconds=1.0)
    assert set(found["phases"]) == {
        "quiet", "import", "index takes over", "versions load", "backfill", "quiet again"
    }  # fmt: skip
    assert [phase["why"] for phase in found["phases"].values() if phase["failed"]] == []
    assert all(phase["searches"] > 0 for phase in found["phases"].values())
    assert found["moved"] > 0
    assert found["p99_ratios"]["quiet"] == 1
