"""The newest writer takes over, and an older one can no longer commit."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from holdfast.gallery import Entries, Entry
from holdfast.store import Store, open_store
from holdfast_serving.lease import Lease, LeaseLostError
from holdfast_serving.writer import StoreWriter


def entry(name: str) -> Entry:
    vector = np.zeros(16, np.float32)
    vector[0] = 1
    return Entry(name, "v1", vector)


def test_a_second_writer_fences_the_first(store: Store) -> None:
    async def main() -> None:
        first = StoreWriter(store)
        assert await first.upsert([entry("a")]) == 1
        second = StoreWriter(store)
        with pytest.raises(LeaseLostError, match="writer 2; this one is 1"):
            await first.upsert([entry("b")])
        with pytest.raises(LeaseLostError):
            await first.delete(["a"])
        assert await second.upsert([entry("c")]) == 2
        first.close()
        second.close()

    asyncio.run(main())
    assert Entries(store).count() == {"v1": 2}


def test_takers_at_the_same_moment_get_different_epochs(store: Store) -> None:
    def take(_: int) -> int:
        with open_store(store.where) as own:
            return Lease.take(own).epoch

    with ThreadPoolExecutor(6) as pool:
        epochs = list(pool.map(take, range(12)))
    assert sorted(epochs) == list(range(1, 13))


def test_many_writes_at_once_share_commits_and_all_count(store: Store) -> None:
    async def main() -> list[int]:
        writer = StoreWriter(store)
        seqs = await asyncio.gather(*(writer.upsert([entry(f"e{number}")]) for number in range(200)))
        writer.close()
        return seqs

    seqs = asyncio.run(main())
    assert len(set(seqs)) == 200
    assert Entries(store).count() == {"v1": 200}
    assert Entries(store).last_seq() == max(seqs)
