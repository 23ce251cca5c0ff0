import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast.base import InvalidVectorError, NotReadyError
from holdfast.entries import Delete, Entries, Entry, GroupCommit, InvalidEntryError, Upsert
from holdfast.store import Store


class SlowEntries(Entries):
    """Holds every transaction until `release` is set, and remembers how many changes each one had."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.release = threading.Event()
        self.begun = threading.Semaphore(0)
        self.groups: list[int] = []

    def write(self, changes: Sequence[object], fence: object = None) -> list[int]:  # type: ignore[override]
        self.groups.append(len(changes))
        self.begun.release()
        assert self.release.wait(30)
        return super().write(changes, fence)  # type: ignore[arg-type]


def test_requests_that_wait_share_a_transaction(store: Store, entry: Callable[..., Entry]) -> None:
    entries = SlowEntries(store)
    with GroupCommit(entries) as writer:
        first = writer.submit(Upsert([entry("first")]))
        assert entries.begun.acquire(timeout=30)
        waiting = [writer.submit(Upsert([entry(f"e{number}")])) for number in range(20)]
        waiting.append(writer.submit(Delete(["first", "e0"])))
        assert not any(future.done() for future in (first, *waiting))
        entries.release.set()
        assert first.result(30) == 1
        assert [future.result(30) for future in waiting] == [*range(2, 22), 23]
    assert entries.groups == [1, 21]
    assert entries.count() == {"v1": 19}
    assert entries.get("e7").seq == waiting[7].result()


def test_a_transaction_has_a_limit(store: Store, entry: Callable[..., Entry]) -> None:
    entries = SlowEntries(store)
    with GroupCommit(entries, max_entries=5) as writer:
        first = writer.submit(Upsert([entry("first")]))
        assert entries.begun.acquire(timeout=30)
        sizes = [2, 2, 2, 9, 1]
        waiting = [
            writer.submit(Upsert([entry(f"{number}-{part}") for part in range(size)]))
            for number, size in enumerate(sizes)
        ]
        entries.release.set()
        assert [future.result(30) for future in (first, *waiting)] == [1, 3, 5, 7, 16, 17]
    assert entries.groups == [1, 2, 1, 1, 1]
    assert entries.count() == {"v1": 17}


def test_an_invalid_request_fails_alone_and_at_once(store: Store, entry: Callable[..., Entry]) -> None:
    entries = SlowEntries(store)
    with GroupCommit(entries) as writer:
        good = writer.submit(Upsert([entry("a")]))
        with pytest.raises(InvalidVectorError):
            writer.submit(Upsert([Entry("b", "v1", [1.0])]))  # type: ignore[arg-type]
        with pytest.raises(InvalidEntryError):
            writer.submit(Delete([""]))
        entries.release.set()
        assert good.result(30) == 1
    assert sum(entries.groups) == 1


def test_a_failed_transaction_fails_its_requests_and_the_writer_goes_on(
    store: Store, entry: Callable[..., Entry]
) -> None:
    entries = Entries(store)
    lost = threading.Event()

    def fence(connection: object) -> None:
        if lost.is_set():
            raise RuntimeError("the lease is lost")

    with GroupCommit(entries, fence=fence) as writer:
        assert writer.submit(Upsert([entry("a")])).result(30) == 1
        lost.set()
        with pytest.raises(RuntimeError, match="lease"):
            writer.submit(Upsert([entry("b")])).result(30)
        lost.clear()
        assert writer.submit(Upsert([entry("c")])).result(30) == 2
    assert entries.count() == {"v1": 2}


def test_closing_writes_what_was_handed_in(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    writer = GroupCommit(entries, max_entries=3)
    waiting = [writer.submit(Upsert([entry(str(number))])) for number in range(50)]
    writer.close()
    assert all(future.done() for future in waiting)
    assert entries.count() == {"v1": 50}
    with pytest.raises(NotReadyError, match="stopped"):
        writer.submit(Upsert([entry("late")]))
    writer.close()


def test_a_cancelled_request_is_not_written(store: Store, entry: Callable[..., Entry]) -> None:
    entries = SlowEntries(store)
    with GroupCommit(entries) as writer:
        writer.submit(Upsert([entry("a")]))
        assert entries.begun.acquire(timeout=30)
        cancelled = writer.submit(Upsert([entry("b")]))
        kept = writer.submit(Upsert([entry("c")]))
        assert cancelled.cancel()
        entries.release.set()
        assert kept.result(30) == 2
    assert entries.count() == {"v1": 2}


def test_many_threads_get_the_number_of_their_own_entry(store: Store, entry: Callable[..., Entry]) -> None:
    entries = Entries(store)
    with GroupCommit(entries) as writer, ThreadPoolExecutor(8) as threads:
        numbers = list(
            threads.map(lambda number: writer.submit(Upsert([entry(str(number))])).result(30), range(100))
        )
    assert sorted(numbers) == list(range(1, 101))
    assert all(entries.get(str(number)).seq == seq for number, seq in enumerate(numbers))
