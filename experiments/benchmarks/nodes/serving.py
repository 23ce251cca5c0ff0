"""A gateway on each of two machines, and searches while one of them loses power."""

import threading
import time

from experiments.benchmarks.nodes.machine import Machine, wait_for
from experiments.benchmarks.nodes.room import PORT as RAY_PORT
from experiments.benchmarks.nodes.room import Room, end
from experiments.benchmarks.nodes.steps import Step
from holdfast_serving.client import ApiError, Client, RetryConfig

PORT = 8000
KEY = "a-key-of-the-story"
GATEWAY = "ServeReplica:holdfast:gateway"
READY_SECONDS = 180.0
AFTER_SECONDS = 45.0
"""For so long searches are watched after a machine is lost."""


def serve(step: Step, room: Room, version: str, image: bytes) -> None:
    room.on_head("promote", version)
    process = room.head.begin(
        *("python", "-m", "holdfast", "serve", "--host", "0.0.0.0", "--port", str(PORT), "--replicas", "2"),
        RAY_ADDRESS=f"{room.head.address}:{RAY_PORT}",
        HOLDFAST_API_KEYS=f"admin:{KEY}",
        PYTHONUNBUFFERED="1",
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line)
            if line.startswith("Holdfast serves"):
                break
        else:
            raise RuntimeError("".join(said)[-3000:])
        # Nobody may be kept waiting because nobody reads.
        reading = threading.Thread(target=said.extend, args=(process.stdout,), daemon=True)
        reading.start()
        _ask(step, room, image)
    finally:
        for pid in room.head.processes("^python -m holdfast serve"):
            room.head.run("kill", "-TERM", str(pid))
        code = end(process, 120)
    step.check("the server ended well", code == 0)


def _ask(step: Step, room: Room, image: bytes) -> None:
    wait_for("a gateway on each worker", lambda: _on(room) == [1, 1], READY_SECONDS)
    answers = []
    for machine in room.workers:
        with _client(machine) as client:
            client.wait_until_ready(READY_SECONDS)
            answers.append(_hits(client, image))
    step.note(gateways={machine.name: 1 for machine in room.workers})
    step.check("a search by either machine's proxy has the same answer", answers[0] == answers[1])
    step.check("and it has found something", len(answers[0]) == 5)
    first, second = room.workers
    with _client(first, attempts=1) as once:
        second.kill()
        lost = time.monotonic()
        slowest, failed, count, other = 0.0, [], 0, 0
        while time.monotonic() - lost < AFTER_SECONDS:
            begun = time.monotonic()
            try:
                other += _hits(once, image) != answers[0]
            except ApiError as error:
                failed.append(f"{error.code} {begun - lost:.0f} s after")
            else:
                count += 1
                slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.2)
    step.note(searches_after_the_loss=count, slowest_seconds=round(slowest, 2), failed=failed)
    step.check("searches go on by the machine that is left", count > 0 and not failed)
    step.check("with the same answer as before, every one", other == 0)
    room.start(second)

    def is_back() -> bool:
        try:
            with _client(second, attempts=1) as client:
                return _hits(client, image) == answers[0]
        except ApiError:
            return False

    step.note(second_back_after_seconds=round(wait_for("the second machine's proxy", is_back, READY_SECONDS)))


def _on(room: Room) -> list[int]:
    """How many gateways each worker's machine has."""
    return [len(machine.processes(GATEWAY)) for machine in room.workers]


def _client(machine: Machine, attempts: int = 6) -> Client:
    return Client(f"http://{machine.address}:{PORT}", KEY, timeout=15, retry=RetryConfig(attempts=attempts))


def _hits(client: Client, image: bytes) -> list[tuple[str, float]]:
    return [(hit.id, round(hit.score, 6)) for hit in client.search(image=image, k=5).hits]
