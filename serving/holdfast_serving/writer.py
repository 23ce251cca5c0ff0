"""The one writer: every change of the gallery goes through one process, which commits many at once."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from holdfast.errors import HoldfastError
from holdfast.gallery import Entries, Entry, GroupCommit
from holdfast.store import Store, open_store
from holdfast_serving.config import ServingConfig
from holdfast_serving.lease import Lease


class EntryWriter(Protocol):
    """Commits changes; returns the sequence number of the last one, after it is on the disk."""

    async def upsert(self, entries: Sequence[Entry]) -> int: ...

    async def delete(self, ids: Sequence[str]) -> int: ...


class StoreWriter:
    """Writes in this process: group commit under a lease."""

    def __init__(self, store: Store) -> None:
        lease = Lease.take(store)
        self._commits = GroupCommit(Entries(store), fence=lease.fence)

    async def upsert(self, entries: Sequence[Entry]) -> int:
        """Raises what `GroupCommit.upsert` raises, and LeaseLostError."""
        future = await asyncio.get_running_loop().run_in_executor(None, self._commits.upsert, entries)
        return await asyncio.wrap_future(future)

    async def delete(self, ids: Sequence[str]) -> int:
        return await asyncio.wrap_future(self._commits.delete(ids))

    def close(self) -> None:
        """Commits what was handed in."""
        self._commits.close()


class Writer:
    """The writer deployment. User errors come back as values: Ray would wrap what is raised."""

    def __init__(self, config: ServingConfig) -> None:
        self._writer = StoreWriter(open_store(config.store, config.artifacts))

    async def upsert(self, entries: Sequence[Entry]) -> int | HoldfastError:
        try:
            return await self._writer.upsert(entries)
        except HoldfastError as error:
            return _plain(error)

    async def delete(self, ids: Sequence[str]) -> int | HoldfastError:
        try:
            return await self._writer.delete(ids)
        except HoldfastError as error:
            return _plain(error)

    def __del__(self) -> None:
        self._writer.close()


def _plain(error: HoldfastError) -> HoldfastError:
    """The error without its cause and traceback, which may not be picklable."""
    return type(error)(*error.args)
