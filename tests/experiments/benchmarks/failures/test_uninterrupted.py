"""Some disturbances beside a steady load: nobody notices who sends a request once more."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from experiments.benchmarks.failures.disturbances import Happened
from experiments.benchmarks.failures.steady_load import Outcome
from experiments.benchmarks.failures.uninterrupted import judged
from experiments.benchmarks.harness.child import module_command, module_environment

pytestmark = pytest.mark.long

MODULE = "experiments.benchmarks.failures.uninterrupted"


def test_nobody_notices_a_change_a_killed_proxy_and_a_database_that_restarts(tmp_path: Path) -> None:
    if not (shutil.which("postgres") or Path("/usr/lib/postgresql").is_dir()):
        pytest.skip("no PostgreSQL server is installed")
    only = [word for what in ("promote", "proxy", "database") for word in ("--only", what)]
    command = module_command(MODULE, "--quick", "--per-second", "20", *only, "--folder", str(tmp_path))
    ran = subprocess.run(command, env=module_environment(), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert result["disturbances"] == {"promote": 1, "proxy": 1, "database": 1}
    assert sum(result["requests"].values()) > 100
    assert result["of_them_503_with_retry_after"] > 0
    assert len((tmp_path / "uninterrupted.csv").read_text().splitlines()) > 1


def test_what_is_excused_and_what_is_not() -> None:
    good = Outcome("search", 10.0, 0.1, "200")
    lost = Outcome("search", 10.0, 0.1, "ReadError", second="200")
    gone = Outcome("embedding", 12.1, 0.1, "503", asks_again=True, second="503")
    refused = Outcome("write", 20.5, 0.1, "503", asks_again=True, second="503")
    rude = Outcome("write", 19.9, 0.3, "500", second="200")
    late = Outcome("write", 22.0, 0.1, "503", asks_again=True, second="200")
    happened = [Happened("proxy", 10.05, "killed"), Happened("promote", 12.0, "409", well=False)]
    figures = judged([good, lost, gone, refused, rude, late], happened, [(20.0, 21.0)])
    assert figures["requests"] == {"search": 2, "embedding": 1, "write": 3}
    assert figures["failed_at_first"] == 3
    assert figures["failed_at_first_by"]["proxy"] == {"search: ReadError, then 200": 1}
    assert figures["failed_when_sent_once_more_by"] == {"promote": {"embedding: 503, then 503": 1}}
    assert figures["writes_while_database_away"] == 2
    assert (figures["of_them_503_with_retry_after"], figures["of_them_refused_otherwise"]) == (1, 1)
    assert figures["changes_refused"] == ["409"]
