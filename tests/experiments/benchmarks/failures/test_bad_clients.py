"""Slow and broken clients for some seconds: no search fails meanwhile."""

import json
import subprocess

import pytest

from experiments.benchmarks.harness.child import module_command, module_environment

pytestmark = pytest.mark.long

MODULE = "experiments.benchmarks.failures.bad_clients"


def test_no_search_fails_beside_bad_clients() -> None:
    command = module_command(MODULE, "--seconds", "5", "--searches", "5", "--held", "60")
    ran = subprocess.run(command, env=module_environment(), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert result["searches"] >= 20
    assert not result["failed"]
    assert len(result["clients"]) >= 8
