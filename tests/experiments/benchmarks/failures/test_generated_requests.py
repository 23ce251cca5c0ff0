"""Many generated requests: no 5xx, no status that the OpenAPI document does not declare."""

import json
import shutil
import subprocess
import sys
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


PARSES_IN_THREADS = """
import ast, gc, sys, threading
import experiments.benchmarks.failures.generated_hooks

class Cycle:
    def __init__(self): self.itself = self
    def __del__(self): sum(range(2000))  # a collection lets another thread run

def parse():
    try:
        for _ in range(60):
            [Cycle() for _ in range(20)]
            ast.parse(source)
    except SystemError as error:
        failed.append(error)

failed, source = [], chr(10).join(f"f{i} = lambda a, b=({i}, [1, 2]): (a + b) * (a - {i})" for i in range(60))
gc.set_threshold(10)
sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=parse) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failed, failed
"""


def test_two_workers_may_parse_at_once(tmp_path: Path) -> None:
    environment = module_environment(GENERATED_COUNTS=str(tmp_path / "counts.json"))
    subprocess.run([sys.executable, "-c", PARSES_IN_THREADS], env=environment, check=True, timeout=120)


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
