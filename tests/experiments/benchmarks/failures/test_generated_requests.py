"""Many generated requests: no 5xx, no status that the OpenAPI document does not declare."""

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from experiments.benchmarks.failures import generated_requests
from experiments.benchmarks.harness.child import module_command, module_environment
from tests.fixtures.served import serving_here

pytestmark = pytest.mark.long

MET = {"200", "201", "404", "405", "409", "415", "422"}


def test_generated_requests_meet_no_defect_of_a_server_on_postgresql() -> None:
    if not (shutil.which("postgres") or Path("/usr/lib/postgresql").is_dir()):
        pytest.skip("no PostgreSQL server is installed")
    given = ("--database", "postgresql", "--requests", "200", "--examples", "4")
    command = module_command(generated_requests.__name__, *given)
    ran = subprocess.run(command, env=module_environment(), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert result["requests"] >= 200
    assert result["operations"] >= 20
    assert set(result["statuses"]) >= MET


def test_generated_requests_meet_no_defect_of_an_app_on_sqlite(tmp_path: Path) -> None:
    """Without Ray, which a backfill would start, and without what is refused before any database is asked."""
    generated_requests.fill((str(tmp_path / "store"), str(tmp_path / "store" / "artifacts")), tmp_path)
    with serving_here(tmp_path / "store") as served:
        phases = ("--phases", "fuzzing,stateful", "--exclude-path", "/v1/backfills")
        counts, failures = generated_requests.ask(served.url, served.key, 1, 4, tmp_path, phases)
    assert not failures
    statuses = Counter(each.rpartition(" ")[2] for each in counts)
    assert counts.total() >= 100
    assert set(statuses) >= {"200", "404", "422"}
    assert not any(status.startswith("5") for status in statuses)
