"""One writer at a time, by the word of the database: processes are paused, killed, in each other's way."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, event, select, update

from holdfast.base import Process, StoreError
from holdfast.entries import Entries, Entry, GroupCommit, Lease, LeaseHeldError, LeaseLostError, Upsert
from holdfast.entries.lease import refuse_if_held
from holdfast.store import Store, open_store
from holdfast.store.database.engine import reading, writing
from holdfast.store.database.schema import leases

# Importing PyTorch takes a process longer than all that it does here.
WRITER = """
import signal, sys, threading, types
sys.modules["holdfast.models"] = types.SimpleNamespace(Encoder=None)
import numpy as np
from holdfast.entries import Entries, Entry, GroupCommit, Lease, Upsert
from holdfast.store import open_store

where, artifacts, seconds = sys.argv[1:]
vector = np.eye(1, 8, dtype=np.float32)[0]
store = open_store(where, artifacts)
lease = Lease.take(store, seconds=float(seconds))
writer = GroupCommit(Entries(store), fence=lease.fence)
number = 0

def pause():
    print("pausing", flush=True)
    # The thread itself: a signal to the process may reach another one first, and this one would go on.
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

def write():
    global number
    number += 1
    try:
        print("wrote", writer.submit(Upsert([Entry(f"child-{number}", "v1", vector)])).result(), flush=True)
    except Exception as error:
        print(type(error).__name__, error, flush=True)

write()
for line in sys.stdin:
    if line == "pause\\n":
        pause()
        write()
    elif line == "pause inside\\n":
        def fence(connection):
            lease.fence(connection)
            pause()
        writer = GroupCommit(Entries(store), fence=fence)
        write()
    elif line == "write\\n":
        write()
    elif line == "release\\n":
        lease.release()
        print("released", flush=True)
"""


class Child:
    """A writer in its own process, told what to do line by line."""

    def __init__(self, place: tuple[str, str], seconds: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, *place, str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def hears(self, line: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.says()

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def is_stopped(self) -> None:
        """Returns once all of its threads stand still."""
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def goes_on(self) -> str:
        self.process.send_signal(signal.SIGCONT)
        return self.says()

    def ends(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def child(place: tuple[str, str], store: Store) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def start(seconds: float = 10.0) -> Child:
        children.append(Child(place, seconds))
        assert children[-1].says() == "wrote 1"
        return children[-1]

    yield start
    for started in children:
        started.ends()


def _entry(name: str) -> Entry:
    return Entry(name, "v1", np.eye(1, 8, dtype=np.float32)[0])


def _take_when_free(store: Store, seconds: float = 10.0) -> Lease:
    deadline = time.monotonic() + 30
    while True:
        try:
            return Lease.take(store, seconds=seconds)
        except LeaseHeldError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _become(store: Store, process: Process) -> None:
    """Let the lease be held by another process."""
    with writing(store.engine) as connection:
        connection.execute(update(leases).values(vars(process)))


def test_a_second_writer_is_refused_while_the_first_is_there(store: Store) -> None:
    with Lease.take(store) as lease:
        assert lease.epoch == 1
        for refused in (Lease.take, refuse_if_held):
            with pytest.raises(LeaseHeldError) as raised:
                refused(store)
            message = str(raised.value)
            assert f"process {os.getpid()} on " in message
            assert "(writer 1)" in message
            assert "stop that process and try again" in message
            hour, minute, second = map(int, re.search(r"until (\d+):(\d+):(\d+) UTC", message).groups())  # type: ignore[union-attr]
            left = (3600 * hour + 60 * minute + second - time.time()) % 86400
            assert 5 < left < 11
        with writing(store.engine) as connection:
            lease.fence(connection)


def test_a_lease_that_was_given_back_is_free_at_once(store: Store) -> None:
    refuse_if_held(store)
    with Lease.take(store) as first:
        pass
    refuse_if_held(store)
    with Lease.take(store) as second:
        assert second.epoch == first.epoch + 1
        first.release()
        assert not second.lost
        with writing(store.engine) as connection:
            second.fence(connection)
            with pytest.raises(LeaseLostError, match="Another writer"):
                first.fence(connection)


def test_takers_at_the_same_moment_are_refused_but_one(place: tuple[str, str], store: Store) -> None:
    def take(own: Store) -> Lease | None:
        try:
            return Lease.take(own)
        except LeaseHeldError:
            return None

    with ExitStack() as opened, ThreadPoolExecutor(6) as pool:
        stores = [opened.enter_context(open_store(*place)) for _ in range(6)]
        taken = [lease for lease in pool.map(take, stores * 2) if lease is not None]
        assert [lease.epoch for lease in taken] == [1]
        taken[0].release()


def test_an_idle_holder_renews_its_lease(store: Store) -> None:
    with Lease.take(store, seconds=0.6) as lease:
        for _ in range(4):
            time.sleep(0.4)
            with pytest.raises(LeaseHeldError):
                Lease.take(store)
        assert not lease.lost


def test_every_commit_renews_the_lease(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lease, "_beat", lambda lease: None)
    entries = Entries(store)
    with Lease.take(store, seconds=1.0) as lease, GroupCommit(entries, fence=lease.fence) as writer:
        for number in range(4):
            time.sleep(0.5)
            assert writer.submit(Upsert([_entry(f"e{number}")])).result(30) == number + 1


def test_who_did_not_renew_in_time_commits_nothing_even_if_nobody_else_came(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lease, "_beat", lambda lease: None)
    entries = Entries(store)
    with Lease.take(store, seconds=0.3) as lease, GroupCommit(entries, fence=lease.fence) as writer:
        writer.submit(Upsert([_entry("a")])).result(30)
        time.sleep(0.5)
        for _ in range(2):
            with pytest.raises(
                LeaseLostError, match=r"did not renew its lease of 0\.3 s.*nothing was written"
            ):
                writer.submit(Upsert([_entry("b")])).result(30)
        assert lease.lost
    assert entries.last_seq() == 1
    with Lease.take(store) as lease, GroupCommit(entries, fence=lease.fence) as writer:
        assert writer.submit(Upsert([_entry("b")])).result(30) == 2


def test_a_killed_holder_is_followed_at_once(store: Store, child: Callable[..., Child]) -> None:
    first = child(seconds=60)
    with pytest.raises(LeaseHeldError, match=f"process {first.process.pid} on "):
        Lease.take(store)
    first.process.kill()
    # Not yet waited for: what is left of it is a zombie.
    started = time.monotonic()
    _take_when_free(store).release()
    assert time.monotonic() - started < 5


def test_a_released_holder_is_followed_at_once(store: Store, child: Callable[..., Child]) -> None:
    first = child(seconds=60)
    assert first.hears("release") == "released"
    with Lease.take(store) as lease:
        assert lease.epoch == 2
        assert first.hears("write").startswith("LeaseLostError Another writer has taken this store over")


def test_a_paused_writer_is_waited_for_and_then_shut_out(store: Store, child: Callable[..., Child]) -> None:
    first = child(seconds=1.5)
    assert first.hears("pause") == "pausing"
    first.is_stopped()
    with pytest.raises(LeaseHeldError):
        Lease.take(store)
    entries = Entries(store)
    with _take_when_free(store) as lease, GroupCommit(entries, fence=lease.fence) as writer:
        assert writer.submit(Upsert([_entry("mine")])).result(30) == 2
        answer = first.goes_on()
        assert answer.startswith("LeaseLostError Another writer has taken this store over (process ")
        assert first.hears("write").startswith("LeaseLostError")
        assert writer.submit(Upsert([_entry("mine too")])).result(30) == 3
    # Nor when the other one has gone: what it lost it has lost for good.
    assert first.hears("write").startswith("LeaseLostError")
    assert sorted(entry.id for chunk in entries.scan() for entry in chunk) == ["child-1", "mine", "mine too"]


def test_a_writer_that_was_paused_for_less_goes_on(store: Store, child: Callable[..., Child]) -> None:
    first = child(seconds=30)
    assert first.hears("pause") == "pausing"
    first.is_stopped()
    time.sleep(0.3)
    assert first.goes_on() == "wrote 2"


def test_a_writer_that_was_paused_for_too_long_writes_nothing(
    store: Store, child: Callable[..., Child]
) -> None:
    first = child(seconds=0.5)
    assert first.hears("pause") == "pausing"
    first.is_stopped()
    time.sleep(0.7)
    assert first.goes_on().startswith("LeaseLostError This writer (1) did not renew its lease of 0.5 s")
    assert Entries(store).last_seq() == 1


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_postgresql_does_not_wait_for_a_writer_that_is_paused_in_its_transaction(
    store: Store, child: Callable[..., Child]
) -> None:
    first = child(seconds=1.0)
    assert first.hears("pause inside") == "pausing"
    first.is_stopped()
    with _take_when_free(store) as lease, GroupCommit(Entries(store), fence=lease.fence) as writer:
        assert writer.submit(Upsert([_entry("mine")])).result(30) == 2
        # Which of the two depends on how much of the server's farewell has arrived.
        assert re.match(r"StoreError .*(its process stood still|closed the connection)", first.goes_on())
    assert Entries(store).count() == {"v1": 2}


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_sqlite_lets_nobody_in_while_a_writer_is_paused_in_its_transaction(
    store: Store, child: Callable[..., Child]
) -> None:
    first = child(seconds=0.5)
    assert first.hears("pause inside") == "pausing"
    first.is_stopped()
    time.sleep(0.7)
    event.listen(store.engine, "checkout", _hurry)
    with pytest.raises(StoreError, match="is busy: another process has been writing"):
        Lease.take(store)
    # It passed the fence in time and nobody came between, so what it had begun counts.
    assert first.goes_on() == "wrote 2"
    with _take_when_free(store) as lease:
        assert lease.epoch == 2


def _hurry(connection: Any, *_: object) -> None:
    connection.execute("PRAGMA busy_timeout = 200")


@pytest.mark.parametrize("field", ["pid", "started", "machine"])
def test_only_a_process_of_this_machine_can_be_found_dead(store: Store, field: str) -> None:
    with Lease.take(store):
        this = Process.this()
        _become(store, replace(this, **{field: 2**22 + 1 if field == "pid" else "other"}))
        if field == "machine":
            with pytest.raises(LeaseHeldError):
                Lease.take(store)
        else:
            Lease.take(store).release()


def test_the_heartbeat_outlives_a_database_that_is_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fence = Lease.fence
    failures = 0

    def fail_twice(lease: Lease, connection: Connection) -> None:
        nonlocal failures
        if failures < 2:
            failures += 1
            raise StoreError("The database cannot be used.")
        fence(lease, connection)

    monkeypatch.setattr(Lease, "fence", fail_twice)
    with Lease.take(store, seconds=1.2) as lease:
        time.sleep(2.0)
        assert not lease.lost
        with pytest.raises(LeaseHeldError):
            Lease.take(store)
    assert failures == 2


def test_the_lease_is_a_row_that_says_who_holds_it(store: Store) -> None:
    with Lease.take(store), reading(store.engine) as connection:
        row = connection.execute(select(leases)).one()
        assert (row.name, row.epoch, row.pid) == ("writer", 1, os.getpid())
        assert abs(row.expires_at - time.time() - 10) < 5
    with reading(store.engine) as connection:
        assert connection.execute(select(leases.c.expires_at)).scalar_one() == 0
