"""Clients that hang up for some seconds; and that a slope is a slope."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from experiments.benchmarks.failures.growth import Sample, slope, slopes
from experiments.benchmarks.harness.child import module_command, module_environment

pytestmark = pytest.mark.long

MODULE = "experiments.benchmarks.failures.hangups"


def test_who_waits_is_answered_beside_clients_that_hang_up(tmp_path: Path) -> None:
    command = module_command(MODULE, "--quick", "--seconds", "6", "--folder", str(tmp_path))
    ran = subprocess.run(command, env=module_environment(), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert result["answered_otherwise"] == 0
    assert set(result["mib_an_hour"]) == {"gateway", "proxy", "writer"}
    assert len(result["clients"]) == 9
    assert {file.suffix for file in tmp_path.iterdir()} == {".csv", ".json", ".svg"}
    assert len((tmp_path / "hangups.csv").read_text().splitlines()) >= 1 + 3 * 4


def test_growth_is_told_from_noise_and_from_warming_up() -> None:
    drawn = np.random.default_rng(0)
    seconds = np.arange(0, 1800, 10.0)
    noise = drawn.normal(0, 3, len(seconds))
    warming = 100 * np.minimum(seconds, 300) / 300
    steady = slope(seconds.tolist(), (200 + warming + noise).tolist())
    leaking = slope(seconds.tolist(), (200 + warming + noise + 30 * seconds / 3600).tolist())
    assert not steady.grows
    assert leaking.grows
    assert leaking.value - steady.value == pytest.approx(30, abs=1e-6)
    assert leaking.low < 30 < leaking.high


def test_a_process_that_was_replaced_has_no_slope() -> None:
    first = [Sample(second, "writer", 1, 100, 50, 40) for second in range(10)]
    second = [Sample(second, "writer", 2, 100, 50, 40) for second in range(10, 20)]
    assert slopes(first, "uss")["writer"].value == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="replaced"):
        slopes([*first, *second], "uss")
