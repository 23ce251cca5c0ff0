"""Backfilling where the traffic is: the images of entries that searches recall are embedded on the spot,
within a budget, and what was embedded is kept."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from sqlalchemy import bindparam, case, select

from holdfast.backfill.cascade_config import CascadeConfig
from holdfast.backfill.images import look
from holdfast.backfill.keeping import Keeping
from holdfast.backfill.sources import Sources
from holdfast.base import HoldfastError, StoreError, bad_norms
from holdfast.entries import NewVector
from holdfast.index import Hit
from holdfast.search import Embedded, Outcome, Terms
from holdfast.store import Store, in_chunks, metadata, reading

if TYPE_CHECKING:
    from holdfast.models import Modality, Model

logger = logging.getLogger(__name__)

NO_SOURCES = (
    "none may be read here: say which folders or URL prefixes may, with --sources of holdfast search or "
    "holdfast serve (`sources` of its settings)"
)
entries = metadata.tables["entries"]
# Built once, see `holdfast.store.database.counters`.
_LOOK_UP = select(
    entries.c.id,
    entries.c.seq,
    entries.c.source,
    case((entries.c.version == bindparam("asks"), entries.c.vector)),
).where(entries.c.id.in_(bindparam("some", expanding=True)), entries.c.deleted.is_(False))
Key = tuple[str, int, str]
"""An entry, the number of its last write, and the version whose vector it is about."""
Made = Future[NewVector | str]
"""A vector, or why there is none."""


class Eye(Protocol):
    """What embeds images, as a `Model` does, for many threads at a time."""

    def prepare(self, image: bytes) -> np.ndarray: ...

    def embed(self, images: np.ndarray) -> np.ndarray: ...


class _Row(NamedTuple):
    """An entry as it is in the database; `vector` if the version that asks has embedded it by now."""

    id: str
    seq: int
    source: str | None
    vector: bytes | None


class OnRead:
    """Embeds the images of candidates. Safe to use from many threads.

    An image that is being read and embedded for one search is waited for by all who want it; what is begun is
    brought to an end, for the next search, however long the one that wanted it has waited.

    Args:
        sources: below which images may be read.
        keeping: where vectors go that are to be written; None writes none.
    """

    def __init__(
        self, store: Store, sources: Sources, config: CascadeConfig, keeping: Keeping | None = None
    ) -> None:
        self.config = config
        self._engine, self._sources, self._keeping = store.engine, sources, keeping
        self._cache = _Cache(config.cached)
        self._readers = ThreadPoolExecutor(config.readers, thread_name_prefix="cascade-read")
        self._begun: dict[Key, Made] = {}

    def terms(self, version: str, takes: "Collection[Modality] | None" = None) -> Terms:
        """On which terms queries by a version may cascade.

        Args:
            takes: what its model embeds, None if that is not known yet.
        """
        obstacle = ""
        if not self._sources.roots:
            obstacle = NO_SOURCES
        elif takes is not None and "image" not in takes:
            obstacle = f"{version} embeds none itself"
        return Terms(self.config.candidates, self.config.always, obstacle)

    def embed(self, eye: Eye, version: str, candidates: Sequence[Hit], deadline: float) -> Embedded:
        """Vectors of `version` for these entries, the first ones first, until `deadline` (`time.monotonic`).

        Raises nothing: an entry that cannot be embedded is counted.
        """
        ids = [hit.id for hit in candidates]
        try:
            rows = self._look_up(version, ids)
        except StoreError as error:
            logger.warning("no images were embedded for a search: %s", error)
            return Embedded(outcomes=dict.fromkeys(ids, "unreachable"))
        made: dict[str, NewVector] = {}
        moved: dict[str, bytes] = {}
        # One that is gone from the database meanwhile is out of reach, too.
        outcomes: dict[str, Outcome] = dict.fromkeys(set(ids) - {row.id for row in rows}, "unreachable")
        wanted: dict[str, Made] = {}
        begun: list[Made] = []
        for row in rows:
            key = (row.id, row.seq, version)
            if row.vector is not None:
                moved[row.id], outcomes[row.id] = row.vector, "own"
            elif (cached := self._cache.get(key)) is not None:
                made[row.id], outcomes[row.id] = cached, "cached"
            elif (under_way := self._begun.get(key)) is not None:
                wanted[row.id] = under_way
            elif len(begun) < self.config.images:
                wanted[row.id] = self._begin(eye, key, row.source)
                begun.append(wanted[row.id])
        wait(wanted.values(), max(0.0, deadline - time.monotonic()))
        for each in begun:
            each.cancel()
        for identifier, each in wanted.items():
            if not each.done() or each.cancelled():
                continue
            result = each.result()
            if isinstance(result, str):
                outcomes[identifier] = "unreachable"
            else:
                made[identifier], outcomes[identifier] = result, "embedded"
        kept = 0 if self._keeping is None else self._keeping.offer(list(made.values()))
        found = moved | {identifier: new.vector for identifier, new in made.items()}
        vectors = {identifier: np.frombuffer(vector, "<f4") for identifier, vector in found.items()}
        return Embedded(vectors, outcomes, kept)

    def close(self) -> None:
        """An image that a disk or a network does not deliver is waited for by nobody."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _look_up(self, version: str, ids: Sequence[str]) -> list[_Row]:
        """Those of these entries that there are, in this order."""
        found: dict[str, _Row] = {}
        with reading(self._engine) as connection:
            for some in in_chunks(ids):
                rows = connection.execute(_LOOK_UP, {"asks": version, "some": some}).tuples()
                found |= {row[0]: _Row(*row) for row in rows}
        return [found[identifier] for identifier in ids if identifier in found]

    def _begin(self, eye: Eye, key: Key, source: str | None) -> Made:
        made = self._readers.submit(self._make, eye, key, source)
        self._begun[key] = made
        made.add_done_callback(lambda _: self._begun.pop(key, None))
        return made

    def _make(self, eye: Eye, key: Key, source: str | None) -> NewVector | str:
        """The entry's vector, which is in the cache then, or why there is none."""
        try:
            pixels = look(eye.prepare, source, self._sources)
            if isinstance(pixels, str):
                return pixels
            vector = np.asarray(eye.embed(pixels[None])[0], np.float32)
        except HoldfastError as error:
            return str(error)
        except Exception:
            logger.exception("the image of %r could not be embedded by %s", key[0], key[2])
            return "a defect"
        if bad_norms(vector[None]).size:
            return "its embedding is not of unit norm"
        made = NewVector(*key, vector.astype("<f4").tobytes())
        self._cache.put(key, made)
        return made


class ModelCascade:
    """Cascades of searches in this process, without a server.

    Args:
        model_of: by a version's name.
    """

    def __init__(self, on_read: OnRead, model_of: "Callable[[str], Model]") -> None:
        self._on_read, self._model_of = on_read, model_of

    def terms(self, version: str) -> Terms:
        return self._on_read.terms(version, self._model_of(version).takes)

    def embed(self, version: str, candidates: Sequence[Hit]) -> Embedded:
        deadline = time.monotonic() + self._on_read.config.seconds
        return self._on_read.embed(self._model_of(version), version, candidates, deadline)


class _Cache:
    """The `limit` vectors that were used last."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._vectors: OrderedDict[Key, NewVector] = OrderedDict()

    def get(self, key: Key) -> NewVector | None:
        with self._lock:
            found = self._vectors.get(key)
            if found is not None:
                self._vectors.move_to_end(key)
            return found

    def put(self, key: Key, vector: NewVector) -> None:
        with self._lock:
            self._vectors[key] = vector
            self._vectors.move_to_end(key)
            while len(self._vectors) > self._limit:
                self._vectors.popitem(last=False)
