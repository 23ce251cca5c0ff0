"""Slow and broken clients for some seconds: no search fails meanwhile."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "experiments" / "benchmarks" / "bad_clients.py"


def test_no_search_fails_beside_bad_clients() -> None:
    command = [sys.executable, str(SCRIPT), "--seconds", "5", "--searches", "5", "--held", "60"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert result["searches"] >= 20
    assert not result["failed"]
    assert len(result["clients"]) >= 8
