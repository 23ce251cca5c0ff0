"""When the first worker saves before it is due: asked by the host, or because the last was long ago."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import ray

from holdfast.jobs import host
from holdfast.jobs.elastic.wishes import LEAVING_SECONDS, Wishes
from holdfast.jobs.host import RemoteCheckpoints
from holdfast.learning import Progress, Ranks

NOW = Progress("learning", 0, 1)


class Host:
    """The run's, in this process: each of its methods is called as an actor's."""

    def __init__(self, wishes: Wishes) -> None:
        self.watch = Method(lambda progress: wishes.wanted)
        self.save_checkpoint = Method(lambda packed: wishes.saved())


class Method:
    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.remote = function


@pytest.fixture
def wishes() -> Wishes:
    return Wishes()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def workers(wishes: Wishes, monkeypatch: pytest.MonkeyPatch) -> list[RemoteCheckpoints]:
    """Two that learn together."""
    monkeypatch.setattr(ray, "get", lambda answer: answer)
    monkeypatch.setattr(ray, "wait", lambda answers, timeout: (answers, []))
    return [RemoteCheckpoints(Host(wishes), Ranks(rank, 2)) for rank in (0, 1)]


def test_the_first_worker_saves_once_it_is_asked(wishes: Wishes, workers: list[RemoteCheckpoints]) -> None:
    def wanted() -> list[bool]:
        for worker in workers:
            worker.watch(NOW)
        return [worker.wanted() for worker in workers]

    assert wanted() == [False, False]
    assert wishes.ask() == 0
    assert wanted() == [True, False]
    for worker in workers:
        worker.save({"task": 0})
    assert wishes.count == 1
    assert wanted() == [False, False]


def test_once_a_machine_leaves_there_are_checkpoints_until_it_is_gone(
    wishes: Wishes, clock: list[float]
) -> None:
    wishes.enter("running")
    assert not wishes.wanted
    wishes.enter("preempting")
    assert wishes.wanted
    wishes.saved()
    assert not wishes.wanted
    clock[0] += LEAVING_SECONDS + 0.1
    assert wishes.wanted
    wishes.enter("restarting")
    assert not wishes.wanted


def test_a_checkpoint_is_due_by_the_clock_but_takes_no_more_than_a_share_of_it(
    wishes: Wishes, workers: list[RemoteCheckpoints], clock: list[float]
) -> None:
    worker = workers[0]
    assert not worker.wanted()
    clock[0] += host.OVERDUE_SECONDS + 1
    assert worker.wanted()

    def slow(packed: bytes) -> None:
        clock[0] += 2.0

    worker.host.save_checkpoint = Method(slow)
    worker.save({"task": 0})
    clock[0] += host.OVERDUE_SECONDS + 1
    assert not worker.wanted()
    clock[0] += 2.0 / host.SHARE
    assert worker.wanted()
