"""The writer in its process: it shares commits, waits its turn for the lease, and gives it back."""

import asyncio
import time

import numpy as np
import pytest

from holdfast.entries import Delete, Entries, Entry, Lease, LeaseHeldError, LeaseLostError, Upsert
from holdfast.entries.lease import refuse_if_held
from holdfast.store import Store
from holdfast_serving.writer.writer import StoreWriter


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
