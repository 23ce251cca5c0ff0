"""`make bench`: cells that survive an interruption, an honest opponent, and a table of what was measured."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.benchmarks.__main__ import BENCHMARKS
from experiments.benchmarks.harness.child import module_command, module_environment

pytestmark = pytest.mark.long


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts the command with small sizes, over the built-in images and a cache of its own."""
    environment = module_environment(
        HOLDFAST_DATA=str(tmp_path),
        HOLDFAST_CACHE=str(tmp_path / "cache"),
        OMP_NUM_THREADS="1",
        COLUMNS="200",
    )

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = module_command("experiments.benchmarks", "--quick", "--results", str(tmp_path / "results"))
        return subprocess.Popen(
            [*command, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.mark.timeout(1800)  # sixteen parts, on a machine that may be busy
def test_an_interrupted_bench_goes_on_to_the_end_of_every_part(
    bench: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    cells = tmp_path / "results" / "cells" / "training_speed"
    first = bench("--only", "training_speed")
    try:
        deadline = time.monotonic() + 600
        while not list(cells.glob("*/*.json")):
            assert first.poll() is None, first.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        first.send_signal(signal.SIGTERM)
        _, said = first.communicate(timeout=300)
    finally:
        first.kill()
        first.wait()
    assert first.returncode == 130, said
    assert "goes on from here" in said
    before = {file: file.read_text() for file in cells.glob("*/*.json")}
    assert not (tmp_path / "results" / "training_speed.rows.json").exists()

    second = bench()
    output, said = second.communicate(timeout=1700)
    assert second.returncode == 0, said
    assert f"{len(before)} measurements are there already" in said
    assert {file: file.read_text() for file in before} == before
    assert "training against the plain loop" in output
    table = (tmp_path / "results" / "bench.md").read_text()
    assert "| training against the plain loop |" in table
    assert "at least 2.0 times" in table
    assert "experiments.benchmarks --only gallery" in table
    assert "| gallery, one durable upsert |" in table
    assert {file.name.partition(".")[0] for file in (tmp_path / "results").glob("*.rows.json")} == set(
        BENCHMARKS
    )
    rows = json.loads((tmp_path / "results" / "training_speed.rows.json").read_text())["rows"]
    assert all(row["figure"] > 0 for row in rows)
    for kind in ("folder", "parquet", "text"):
        assert f"| {kind}: memory, first opening |" in table
    for figure in ("serving small images, against a bare server", "publishing, late tasks over early ones"):
        assert f"| {figure} |" in table


def test_a_benchmark_that_fails_stops_no_other(
    bench: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    (tmp_path / "omniglot.parquet").write_bytes(b"no Parquet")
    running = bench("--only", "training_speed", "--only", "evaluation_memory")
    output, said = running.communicate(timeout=600)
    assert running.returncode == 1, said
    assert "Failed: training_speed" in said
    assert "evaluation, extra memory" in output
    assert "training against the plain loop" not in output
