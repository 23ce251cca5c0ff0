"""Who waits says for what and how long, ever more rarely."""

import pytest
import ray

from holdfast.jobs import resources
from holdfast.jobs.machines import waiting
from holdfast.jobs.machines.nodes import Node
from holdfast.jobs.machines.waiting import Waits
from holdfast.jobs.resources import await_resources


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which passes as a test says."""
    now = [0.0]
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 3.0, "memory": 1e9})
    return now


def test_it_says_so_ever_more_rarely(clock: list[float]) -> None:
    said: list[str] = []
    waits = Waits("Run 'x'", 2, {"CPU": 4, "GPU": 0.5, "accelerator_type:L4": 0.001}, said.append)
    for second in range(3600):
        clock[0] = float(second)
        waits.look(True)
    assert said[0] == (
        "Run 'x' waits for 2 times 4 CPUs and 0.5 GPUs (L4); free on all machines together: 3 CPUs and "
        "0 GPUs (for 3 s so far)"
    )
    assert [text.rpartition("(")[2] for text in said[:4]] == [
        f"for {seconds} s so far)" for seconds in (3, 6, 12, 24)
    ]
    assert 55 < len(said) < 70


def test_a_short_wait_is_none(clock: list[float]) -> None:
    said: list[str] = []
    waits = Waits("Run 'x'", 1, {"CPU": 1}, said.append)
    for second in range(100):
        clock[0] = float(second)
        waits.look(second % 3 != 0)
    assert not said


def test_what_is_free_on_one_machine_in_the_end_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 4.0}}])
    rooms = iter([(1.0, 1.0), (0.0, 3.0), (2.0, 2.0)])

    def look() -> list[Node]:
        return [Node(str(number), {"CPU": cpus}, ("", 0)) for number, cpus in enumerate(next(rooms))]

    monkeypatch.setattr(resources, "look_at_nodes", look)
    monkeypatch.setattr(resources, "LOOK_SECONDS", 0.0)
    said: list[str] = []
    await_resources("Embedding", 2, {"CPU": 2, "GPU": 0}, said.append)
    assert next(rooms, None) is None
    assert not said
