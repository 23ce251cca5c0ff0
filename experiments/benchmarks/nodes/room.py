"""The machines of the story: a Ray cluster of a head and two workers, and the desk from which it is used."""

import re
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import httpx

from experiments.benchmarks.nodes.machine import Machine, wait_for
from experiments.benchmarks.nodes.network import own_network
from experiments.benchmarks.nodes.stores import running_database, running_objects

PORT, DASHBOARD = 6379, 8265
OBJECT_STORE = 150_000_000
BUCKET = "holdfast"
WORKER_CPUS = 1
"""Of a worker's machine. The head has none to give away: only what drives the work runs there."""
START_SECONDS = 180.0

When = tuple[str, Callable[[], None]]
"""A pattern of a line, and what is to happen when a job first says such a line."""


@dataclass(frozen=True)
class Job:
    """What became of a submission. `lines` are what it said, with the seconds since it was submitted."""

    code: int
    seconds: float
    lines: list[tuple[float, str]]

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.lines)

    def require(self) -> "Job":
        """Itself. Raises RuntimeError with what it said where it has failed."""
        if self.code:
            mistakes = [line for _, line in self.lines if line.startswith("error:")]
            raise RuntimeError("\n".join(mistakes) or self.text[-3000:])
        return self

    def said(self, pattern: str) -> list[re.Match[str]]:
        return [found for _, line in self.lines if (found := re.search(pattern, line))]


@dataclass(frozen=True)
class Room:
    """The desk reaches the cluster's dashboard, and nothing else of it.

    Attributes:
        store: the database's URL, password and all; `artifacts` are its files.
        reach: variables by which S3 is reached.
        token: of the cluster.
    """

    desk: Machine
    head: Machine
    workers: Sequence[Machine]
    store: str
    artifacts: str
    reach: Mapping[str, str]
    token: str

    def start(self, machine: Machine) -> None:
        """Switch a machine of the cluster on; returns when the cluster counts it."""
        machine.start()
        options = [f"--node-ip-address={machine.address}", f"--object-store-memory={OBJECT_STORE}"]
        if machine is self.head:
            options += ["--head", f"--port={PORT}", "--num-cpus=0", "--dashboard-host=0.0.0.0"]
        else:
            options += [f"--address={self.head.address}:{PORT}", f"--num-cpus={WORKER_CPUS}"]
        before = set() if machine is self.head else self._alive()
        machine.answer("ray", "start", *options, seconds=START_SECONDS)
        wait_for(f"{machine.name} in the cluster", lambda: self._alive() - before, START_SECONDS)

    def submit(self, *words: str, options: Sequence[str] = (), when: Sequence[When] = ()) -> Job:
        """`holdfast submit ... -- WORDS` at the desk, followed to its end."""
        dashboard = f"http://{self.head.address}:{DASHBOARD}"
        command = ("python", "-m", "holdfast", "submit", "--address", dashboard, *options, "--", *words)
        begun = time.monotonic()
        process = self.desk.begin(*command, PYTHONUNBUFFERED="1")
        said: Queue[tuple[float, str | None]] = Queue()

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                said.put((time.monotonic() - begun, line.rstrip("\n")))
            said.put((time.monotonic() - begun, None))

        threading.Thread(target=read, daemon=True).start()
        waiting: list[When] = list(when)
        lines: list[tuple[float, str]] = []
        # What happens takes its time, here: a machine goes with the thread that started it.
        while True:
            at, line = said.get()
            if line is None:
                return Job(process.wait(), at, lines)
            lines.append((at, line))
            if waiting and re.search(waiting[0][0], line):
                waiting.pop(0)[1]()

    def on_head(self, *words: str, seconds: float = 300) -> str:
        """What `holdfast WORDS` answers on the head, where the store's variables are set."""
        return self.head.answer("python", "-m", "holdfast", *words, seconds=seconds)

    def _alive(self) -> set[str]:
        """The ids of the machines that the cluster counts; none while its dashboard is away."""
        try:
            answer = httpx.get(
                f"http://{self.head.address}:{DASHBOARD}/api/v0/nodes",
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=30,
            ).raise_for_status()
        except httpx.HTTPError:
            return set()
        nodes = answer.json()["data"]["result"]["result"]
        return {node["node_id"] for node in nodes if node["state"] == "ALIVE"}


@contextmanager
def open_room(folder: Path, hidden: Path) -> Iterator[Room]:
    """The machines, all of them off, and the stores that they will reach; none is left at the end.

    Args:
        folder: of the host, for what the machines write.
        hidden: a folder of data that no machine has.

    Raises what `require_means` raises, and FileNotFoundError without PostgreSQL or moto.
    """
    with ExitStack() as stack:
        network = stack.enter_context(own_network())
        store = stack.enter_context(running_database(network))
        reach = stack.enter_context(running_objects(network, BUCKET))
        artifacts = f"s3://{BUCKET}/store"
        token = secrets.token_hex(32)
        ray = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": token,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",
        }
        known = {"HOLDFAST_STORE": store, "HOLDFAST_ARTIFACTS": artifacts}

        def machine(name: str, number: int, environment: Mapping[str, str]) -> Machine:
            made = Machine(name, network.address(number), network, folder, environment, hidden)
            stack.callback(made.kill)
            return made

        yield Room(
            # It submits, and reads no store.
            machine("desk", 10, ray),
            machine("head", 11, {**ray, **reach, **known}),
            [machine(f"worker{number}", 11 + number, {**ray, **reach}) for number in (1, 2)],
            store,
            artifacts,
            reach,
            token,
        )


def end(process: "subprocess.Popen[str]", seconds: float) -> int:
    """The exit code of a process that is about to end; it is killed after so many seconds."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
