"""A few hundred generated requests: no 5xx, no status that the OpenAPI document does not declare."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from experiments.benchmarks.harness.child import module_command, module_environment

pytestmark = pytest.mark.long

MODULE = "experiments.benchmarks.failures.generated_requests"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_generated_requests_meet_no_defect(database: str) -> None:
    if database == "postgresql" and not (shutil.which("postgres") or Path("/usr/lib/postgresql").is_dir()):
        pytest.skip("no PostgreSQL server is installed")
    command = module_command(MODULE, "--database", database, "--requests", "200", "--examples", "4")
    ran = subprocess.run(command, env=module_environment(), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert result["requests"] >= 200
    assert result["operations"] >= 20
    assert {"200", "201", "404", "405", "409", "415", "422"} <= set(result["statuses"])
