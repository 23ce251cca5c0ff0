"""The versions that one replica holds in memory."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable

from holdfast_serving.replica.embedder import Embedder

Load = Callable[[str], Awaitable[Embedder]]


class LoadedVersions:
    """Keeps the pinned versions, and the `spares` that were asked for by name most recently.

    A version that is let go answers the requests that hold it already; its memory goes with the last of them.
    """

    def __init__(self, load: Load, spares: int) -> None:
        self._load = load
        self._spares = spares
        self._pinned: dict[str, Embedder] = {}
        self._spare: OrderedDict[str, Embedder] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Embedder]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return (*self._pinned, *self._spare)

    def loaded(self, name: str) -> Embedder | None:
        """The version, if it is in memory now."""
        return self._pinned.get(name) or self._spare.get(name)

    @property
    def embedders(self) -> tuple[Embedder, ...]:
        """All that are in memory now."""
        return (*self._pinned.values(), *self._spare.values())

    async def get(self, name: str) -> Embedder:
        """The version, loaded now if need be. What loading raises reaches every caller that waits."""
        found = self._pinned.get(name)
        if found is not None:
            return found
        if name in self._spare:
            self._spare.move_to_end(name)
            return self._spare[name]
        embedder = await self._loaded(name)
        if name not in self._pinned:
            self._spare[name] = embedder
            self._spare.move_to_end(name)
            self._trim()
        return embedder

    async def pin(self, names: Iterable[str]) -> None:
        """Makes `names` the pinned versions, once all of them are loaded; until then nothing changes."""
        wanted = dict.fromkeys(names)
        found = {name: self._pinned.get(name) or self._spare.get(name) for name in wanted}
        missing = [name for name, embedder in found.items() if embedder is None]
        loaded = dict(zip(missing, await asyncio.gather(*map(self._loaded, missing)), strict=True))
        pinned = {name: embedder or loaded[name] for name, embedder in found.items()}
        for name in pinned:
            self._spare.pop(name, None)
        self._pinned = pinned

    async def keep(self, name: str) -> Embedder:
        """The version, which stays until `pin` is called without it."""
        embedder = await self.get(name)
        self._spare.pop(name, None)
        self._pinned[name] = embedder
        return embedder

    def drop(self, gone: Callable[[str], bool]) -> None:
        """Lets go of those that are not pinned and that are gone."""
        for name in [name for name in self._spare if gone(name)]:
            del self._spare[name]

    def _trim(self) -> None:
        while len(self._spare) > self._spares:
            self._spare.popitem(last=False)

    async def _loaded(self, name: str) -> Embedder:
        """Loads once, however many ask; a caller who leaves does not stop it for the others."""
        task = self._loading.get(name)
        if task is None:
            task = asyncio.ensure_future(self._load(name))
            self._loading[name] = task
            task.add_done_callback(lambda _: self._loading.pop(name, None))
        return await asyncio.shield(task)
