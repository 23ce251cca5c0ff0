"""Machines that share no file: the network and the machines; the story itself takes a quarter of an hour."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from experiments.benchmarks.nodes.machine import Machine, share_nothing
from experiments.benchmarks.nodes.network import own_network, require_means
from experiments.benchmarks.nodes.steps import WRITTEN, Steps

LISTEN = """
import socket
listening = socket.create_server(("0.0.0.0", 9))
print("listens", flush=True)
while True:
    listening.accept()
"""


def test_machines_reach_each_other_and_see_no_file_of_one_another(tmp_path: Path) -> None:
    try:
        require_means()
    except OSError as missing:
        pytest.skip(str(missing))
    data = tmp_path / "data"
    data.mkdir()
    (data / "images.parquet").touch()
    steps = Steps(tmp_path / "results", {}, Console(quiet=True))
    with own_network() as network:
        machines = [
            Machine(f"m{number}", network.address(number), network, tmp_path, {"GREETING": "hello"}, data)
            for number in (10, 11)
        ]
        first, second = machines
        try:
            for machine in machines:
                machine.start()
            with steps.step("apart") as step:
                share_nothing(step, machines, data)
            assert len(step.checks) == 3
            assert step.is_good, step.checks
            assert first.answer("sh", "-c", "hostname; echo $GREETING; echo $$").split()[:2] == [
                "m10",
                "hello",
            ]
            listening = second.begin("python", "-c", LISTEN)
            assert listening.stdout is not None
            assert listening.stdout.readline() == "listens\n"
            reach = ("python", "-c", f"import socket; socket.create_connection(('{second.address}', 9), 5)")
            assert first.run(*reach).returncode == 0
            # Whatever ran there is gone with its power, and what it had written; the address stays.
            second.kill()
            assert listening.wait(10) != 0
            assert first.run(*reach).returncode != 0
            second.start()
            assert second.answer("sh", "-c", "ls /tmp; hostname").split() == ["cache", "home", "m11"]
        finally:
            for machine in machines:
                machine.kill()
    with pytest.raises(ValueError, match="no such gateway"), steps.step("served"):
        raise ValueError("no such gateway")
    assert not steps.are_good
    kept = json.loads((tmp_path / "results" / WRITTEN).read_text())["steps"]
    assert [(step["name"], all(step["checks"].values())) for step in kept] == [
        ("apart", True),
        ("served", False),
    ]
