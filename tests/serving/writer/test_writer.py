"""The writer in its process: it shares commits, waits its turn for the lease, and gives it back."""

import asyncio
import time

import numpy as np
import pytest

from holdfast.entries import Delete, Entries, Entry, Lease, LeaseHeldError, LeaseLostError, Upsert
from holdfast.entries.lease import refuse_if_held
from holdfast.store import Store
from holdfast_serving.writer import writer as module
from holdfast_serving.writer.writer import StoreWriter
from tests.fixtures.waiting import wait_until


def entry(name: str) -> Entry:
    vector = np.zeros(16, np.float32)
    vector[0] = 1
    return Entry(name, "v1", vector)


def test_a_second_writer_is_refused_until_the_first_has_closed(store: Store) -> None:
    async def main() -> None:
        first = StoreWriter(store)
        assert await first.submit(Upsert([entry("a")])) == 1
        second = StoreWriter(store)
        for refused in (second.submit(Upsert([entry("b")])), second.submit(Delete(["a"]))):
            with pytest.raises(LeaseHeldError, match="has a writer"):
                await refused
        assert await first.submit(Upsert([entry("c")])) == 2
        first.close()
        assert await second.submit(Upsert([entry("d")])) == 3
        second.close()

    asyncio.run(main())
    refuse_if_held(store)
    assert Entries(store).count() == {"v1": 3}


def test_after_a_pause_what_waited_is_refused_and_what_comes_later_is_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lease, "_beat", lambda lease: None)
    take = Lease.take
    monkeypatch.setattr(Lease, "take", lambda store: take(store, seconds=0.3))

    async def main() -> None:
        writer = StoreWriter(store)
        assert await writer.submit(Upsert([entry("a")])) == 1
        time.sleep(0.5)
        with pytest.raises(LeaseLostError, match="Repeat the request"):
            await writer.submit(Upsert([entry("b")]))
        assert await writer.submit(Upsert([entry("c")])) == 2
        writer.close()

    asyncio.run(main())


def test_many_writes_at_once_share_commits_and_all_count(store: Store) -> None:
    async def main() -> list[int]:
        writer = StoreWriter(store)
        seqs = await asyncio.gather(*(writer.submit(Upsert([entry(f"e{number}")])) for number in range(200)))
        writer.close()
        return seqs

    seqs = asyncio.run(main())
    assert len(set(seqs)) == 200
    assert Entries(store).count() == {"v1": 200}
    assert Entries(store).last_seq() == max(seqs)


def test_a_writer_that_takes_over_and_the_one_before_write_in_turns(store: Store) -> None:
    """Both servers write for as long as the older one has clients; no change is refused, and none is lost."""
    before, after = StoreWriter(store), StoreWriter(store, takes_over=True)
    numbers: list[int] = []

    async def write_steadily(writer: StoreWriter, name: str) -> None:
        for number in range(12):
            numbers.append(await writer.submit(Upsert([entry(f"{name}-{number}")])))
            await asyncio.sleep(0.04)

    async def both() -> None:
        await asyncio.gather(*(write_steadily(before, f"b{n}") for n in range(3)), write_steadily(after, "a"))

    asyncio.run(both())
    before.close()
    wait_until(lambda: _holds(after))
    assert sorted(numbers) == list(range(1, 49))
    assert Entries(store).count() == {"v1": 48}
    after.close()
    refuse_if_held(store)


def test_who_takes_over_waits_for_the_one_before_and_not_for_ever(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who holds the lease and hears nobody, as an import does, keeps it."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    after = StoreWriter(store, takes_over=True)
    wait_until(lambda: _holds(after))
    after.close()
    with Lease.take(store):
        late = StoreWriter(store, takes_over=True)
        with pytest.raises(LeaseHeldError):
            late.submit_here(Upsert([entry("a")]))
    wait_until(lambda: _holds(late))
    late.close()


def _holds(writer: StoreWriter) -> bool:
    return writer._lease is not None
