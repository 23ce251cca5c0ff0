"""A run that loses a node, gets one, and is told that it goes: it stops for seconds, and learns the same."""

import json
import subprocess

import pytest

from experiments.benchmarks.harness.child import module_command, module_environment
from experiments.benchmarks.learning.elastic import STOP_SECONDS, Watched
from holdfast.learning import Progress

NOTICE = 15
"""Seconds from the announcement to the end; the clouds that give least give 30."""


def test_a_stop_lasts_until_the_run_is_further_than_before(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(begun=0.0)
    watched.reports = [(1.0, 0, 10), (2.0, 0, 20), (7.0, 0, 12), (8.0, 0, 18), (9.5, 0, 25), (10.0, 1, 0)]
    (stop,) = watched.stops(2.0)
    assert stop == {"at": 2.0, "seconds": 7.5, "silent": 5.0, "steps_again": 8}
    for phase in ("learning on 2 of 2 workers", "publishing", "learning on 1 of 2 workers"):
        watched(Progress(phase, 0, 0))
    assert watched.workers() == [2, 1]


@pytest.mark.quiet
@pytest.mark.timeout(900)
def test_a_node_is_killed_another_added_and_one_announces_its_end() -> None:
    options = ("--quick", "--announce", str(NOTICE))
    command = module_command("experiments.benchmarks.learning.elastic", *options)
    ran = subprocess.run(command, env=module_environment(), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["workers"] == [2, 1, 2, 1]
    assert found["longest_stop"] <= STOP_SECONDS
    assert found["seconds_from_announcement_to_checkpoint"] is not None
    assert found["seconds_from_announcement_to_checkpoint"] < 6
