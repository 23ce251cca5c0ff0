"""A Ray cluster of several nodes on this machine, of which each may come, be killed, or announce its end."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from holdfast_serving.launch import free_port

START_SECONDS = 120.0
DRAIN = "DRAIN_NODE_REASON_PREEMPTION"


class Raylets:
    """Nodes with a process group each. The first one is the head.

    Attributes:
        environment: that joins them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        # Ray's processes would else get only what others leave of a busy machine.
        own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_worker_niceness": "0"}
        self._own = {**os.environ, **own, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONUNBUFFERED": "1"}
        self._own.pop("RAY_ADDRESS", None)
        self._tool = str(Path(sys.executable).with_name("ray"))
        self._nodes: list[subprocess.Popen[bytes]] = []
        self.environment = {name: self._own[name] for name in own} | {"RAY_ADDRESS": self._address}

    @property
    def _address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self, cpus: int) -> int:
        """One more node; returns its number, once it has joined."""
        where = [f"--address={self._address}"]
        if not self._nodes:
            where = [
                "--head",
                f"--port={self._port}",
                f"--temp-dir={self._folder}",
                "--include-dashboard=false",
            ]
        options = [
            *("--block", f"--num-cpus={cpus}", "--node-ip-address=127.0.0.1"),
            *("--object-store-memory=200000000", f"--dashboard-agent-listen-port={free_port()}"),
        ]
        command = [self._tool, "start", *where, *options]
        with tempfile.NamedTemporaryFile() as said:
            node = _begin(command, self._own, said)
            deadline = time.monotonic() + START_SECONDS
            while b"Ray runtime started" not in Path(said.name).read_bytes():
                if time.monotonic() > deadline:
                    self._nodes.append(node)
                    raise RuntimeError(f"no node has come: {Path(said.name).read_text()}")
                if node.poll() is not None:
                    # Ray gives a node half a minute, which a busy machine may need for other things.
                    node = _begin(command, self._own, said)
                time.sleep(0.1)
            self._nodes.append(node)
        return len(self._nodes) - 1

    def kill(self, number: int) -> None:
        """SIGKILL to all of a node's processes at once, as when its machine is lost."""
        node = self._nodes[number]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        node.wait()

    def announce_end(self, node: str, seconds: int) -> None:
        """Tell the cluster that the node with this id goes away, as a cloud does that takes one back."""
        said = ["--reason", DRAIN, "--reason-message", "taken back", "--node-id", node]
        within = ["--deadline-remaining-seconds", str(seconds), "--address", self._address]
        subprocess.run(
            [self._tool, "drain-node", *said, *within], env=self._own, check=True, capture_output=True
        )

    def stop(self) -> None:
        for number in reversed(range(len(self._nodes))):
            self.kill(number)


def _begin(command: Sequence[str], environment: dict[str, str], said: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
    )


@contextlib.contextmanager
def raylets() -> Iterator[Raylets]:
    """A cluster without nodes, which are killed in the end."""
    # Short, because Ray puts sockets below it and their paths may have 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
    cluster = Raylets(folder)
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
