"""Moving entries of old versions to a newer one, batch by batch, while everybody else goes on.

Whoever holds the claim of a backfill runs it here: plans an order, reads the entries, has them moved, and
hands every batch to the writer, which applies it only to entries that nobody has written since.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sqlalchemy import select

from holdfast.backfill.attending import Pace, ahead, attended, batch_of, nothing_moved
from holdfast.backfill.order import Candidates, ChangeModel, at_random, by_gain, oldest_first
from holdfast.base import HoldfastError, InvalidVectorError, NotReadyError
from holdfast.entries import NewVector, Replace
from holdfast.store import Backfill, Claim, Store, find_adapter, metadata, origin, reading, still_old

entries = metadata.tables["entries"]

Write = Callable[[Replace], int]
"""Hands a batch to the one writer; returns how many of its rows were applied."""

PROBED = 512
"""Entries of each version whose images are looked at first, to learn what will move far."""
_CHUNK = 10_000


@dataclass(frozen=True, eq=False)
class Stored:
    """An entry as it lies in the database: vector float32 little endian, None where nobody needs it."""

    id: str
    seq: int
    version: str
    source: str | None
    mapped_from: str | None
    vector: bytes | None = None


@dataclass(frozen=True, eq=False)
class Moved:
    """What became of a batch: rows to write, and those that cannot be moved as pairs (entry, reason)."""

    rows: Sequence[NewVector]
    skipped: Sequence[tuple[str, str]] = ()


class Mover(Protocol):
    """Makes vectors of the target version out of entries.

    Attributes:
        reads_vectors: whether it needs the stored vectors.
        can_probe: whether it learns something new by looking at an image.
    """

    reads_vectors: bool
    can_probe: bool

    def move(self, batches: Iterator[list[Stored]]) -> Iterator[Moved]:
        """One result a batch, in their order; may read ahead."""
        ...


class AdapterMover:
    """Moves stored vectors by the adapters in force between their versions and the target; no image needed.

    Raises what `Store.load_adapter` raises, IncompatibleError if an adapter is gone.
    """

    reads_vectors = True
    can_probe = False

    def __init__(self, store: Store, target: str, sources: Sequence[str]) -> None:
        with reading(store.engine) as connection:
            rows = {name: find_adapter(connection, target, name) for name in sources}
        self._target = target
        self._adapters = {
            name: (row.digest, store.load_adapter(row))
            for name, row in rows.items()
            if row is not None and row.maps == "entries"
        }

    def move(self, batches: Iterator[list[Stored]]) -> Iterator[Moved]:
        for batch in batches:
            rows: list[NewVector] = []
            skipped: list[tuple[str, str]] = []
            for version in dict.fromkeys(entry.version for entry in batch):
                of_version = [entry for entry in batch if entry.version == version]
                if version not in self._adapters:
                    skipped += [(entry.id, "no adapter") for entry in of_version]
                    continue
                moved = self._apply(version, of_version)
                rows += moved
                done = {row.id for row in moved}
                skipped += [(entry.id, "unmappable") for entry in of_version if entry.id not in done]
            yield Moved(rows, skipped)

    def _apply(self, version: str, batch: list[Stored]) -> list[NewVector]:
        digest, adapter = self._adapters[version]
        vectors = _matrix(batch)
        try:
            mapped = adapter.apply(vectors)
        except InvalidVectorError:
            # One vector that this map cannot take must not keep the others.
            if len(batch) == 1:
                return []
            return [row for entry in batch for row in self._apply(version, [entry])]
        return [
            NewVector(
                entry.id,
                entry.seq,
                self._target,
                vector.astype("<f4").tobytes(),
                # Moved twice, it is still that first version which looked at the image.
                entry.mapped_from or entry.version,
                digest,
            )
            for entry, vector in zip(batch, mapped, strict=True)
        ]


def run_backfill(
    store: Store,
    claim: Claim,
    mover: Mover,
    write: Write,
    stop: threading.Event | None = None,
    halt: threading.Event | None = None,
) -> Backfill:
    """Work until the backfill is over, is paused or taken over, or `stop` is set; returns it as it is then.

    It returns within a second of that, whatever the pace, and whatever the mover is busy with: what it still
    makes of a batch is dropped. `halt` is set then, for movers that can end early.

    A mistake that a user can mend ends it as failed, with its sentence; it can be resumed. So does a backfill
    that has moved nothing. Without a writer the work is left to whoever comes next, and NotReadyError is
    raised.
    """
    stop, halt = stop or threading.Event(), halt or threading.Event()
    try:
        with attended(store, claim, stop, halt):
            found = store.backfills.get(claim.name)

            def work() -> Iterator[Moved]:
                plan = make_plan(store, found, mover, halt)
                return mover.move(_batches(store, found, plan, mover.reads_vectors))

            pace = Pace(found.pace)
            for moved in ahead(work, halt):
                if not pace.wait(len(moved.rows), halt):
                    break
                write(Replace(tuple(moved.rows), claim))
                store.backfills.skip(claim, moved.skipped)
                if stop.is_set() or halt.is_set() or not store.backfills.holds(claim):
                    break
            else:
                if not halt.is_set():
                    store.backfills.finish(claim, nothing_moved(store.backfills.get(claim.name)))
    except NotReadyError:
        store.backfills.release(claim)
        raise
    except HoldfastError as error:
        store.backfills.finish(claim, str(error))
    except Exception as error:
        store.backfills.finish(claim, f"A defect stopped it: {error!r}.")
        raise
    store.backfills.release(claim)
    return store.backfills.get(claim.name)


def make_plan(store: Store, found: Backfill, mover: Mover, lost: threading.Event | None = None) -> np.ndarray:
    """The numbers, int64 (n,), of the entries that are still to be moved, in the order of the backfill.

    In memory are some 20 bytes an entry; `lost` ends the planning early.
    """
    candidates = _candidates(store, found)
    if found.ordering == "oldest":
        order = oldest_first(candidates)
    elif found.ordering == "random":
        order = at_random(candidates, seed=found.number)
    else:
        change = None
        if mover.can_probe and len(candidates):
            change = _expected_change(store, found, candidates, mover, lost or threading.Event())
        order = by_gain(candidates, _cross_tests(store, found), change)
    return candidates.seqs[order]


def _candidates(store: Store, found: Backfill) -> Candidates:
    moved_from = origin(found.kind, found.target).label("moved_from")
    statement = select(entries.c.seq, moved_from).where(still_old(found)).order_by(entries.c.seq)
    with reading(store.engine) as connection:
        rows = connection.execute(statement).all()
    numbers = {name: int(name[1:]) for name in found.sources}
    return Candidates(
        np.array([row.seq for row in rows], np.int64),
        np.array([numbers[row.moved_from] for row in rows], np.int64),
    )


def _cross_tests(store: Store, found: Backfill) -> dict[int, float]:
    measured = ((name, store.compatible(found.target, name)) for name in found.sources)
    return {int(name[1:]): row.value for name, row in measured if row is not None}


def _expected_change(
    store: Store, found: Backfill, candidates: Candidates, mover: Mover, lost: threading.Event
) -> np.ndarray | None:
    """How far each entry will move, float32 (n,), learned from a sample; None if there is too little."""
    change = np.zeros(len(candidates), np.float32)
    met = _Met(store, found)
    learned = False
    for name in found.sources:
        positions = np.flatnonzero(candidates.versions == int(name[1:]))
        drawn = np.random.default_rng(found.number).permutation(positions)[:PROBED]
        model = _learn(store, found, candidates.seqs[drawn], mover, met)
        if model is None:
            continue
        learned = True
        for start in range(0, len(positions), _CHUNK):
            if lost.is_set():
                return None
            some = positions[start : start + _CHUNK]
            place = dict(zip(candidates.seqs[some].tolist(), some.tolist(), strict=True))
            rows, vectors = met(_read(store, found, candidates.seqs[some], vectors=True))
            if rows:
                change[[place[row.seq] for row in rows]] = model.predict(vectors)
    return change if learned else None


def _learn(store: Store, found: Backfill, seqs: np.ndarray, mover: Mover, met: "_Met") -> ChangeModel | None:
    """A model of one version's entries, from those of the sample whose images can be read."""
    sample = _read(store, found, seqs, vectors=True)
    looked = [row for moved in mover.move(iter([sample])) for row in moved.rows] if sample else []
    fresh = {row.id: np.frombuffer(row.vector, "<f4") for row in looked}
    rows, before = met([row for row in sample if row.id in fresh])
    if len(rows) < 2:
        return None
    after = np.stack([fresh[row.id] for row in rows])
    return ChangeModel.fit(before, 1.0 - np.einsum("ij,ij->i", before, after))


class _Met:
    """Entries as the target's queries meet them now: through the adapter, or as they are."""

    def __init__(self, store: Store, found: Backfill) -> None:
        self._dimension = store.version(found.target).dimension
        names = [name for name in found.sources if name != found.target]
        self._adapters = {name: store.adapter(found.target, name) for name in names}

    def __call__(self, batch: list[Stored]) -> tuple[list[Stored], np.ndarray]:
        """Those that can be met, and their vectors, float32 (n, d) of the target's dimension."""
        rows: list[Stored] = []
        parts: list[np.ndarray] = []
        for version in dict.fromkeys(entry.version for entry in batch):
            own = [entry for entry in batch if entry.version == version]
            vectors, adapter = _matrix(own), self._adapters.get(version)
            if adapter is not None and adapter.target_dimension == self._dimension:
                vectors = adapter.apply(vectors)
            if vectors.shape[1] == self._dimension:
                rows += own
                parts.append(vectors)
        return rows, np.concatenate(parts) if parts else np.empty((0, self._dimension), np.float32)


def _batches(store: Store, found: Backfill, plan: np.ndarray, vectors: bool) -> Iterator[list[Stored]]:
    size = batch_of(found.batch_size, found.pace)
    for start in range(0, len(plan), size):
        yield _read(store, found, plan[start : start + size], vectors)


def _read(store: Store, found: Backfill, seqs: np.ndarray, vectors: bool) -> list[Stored]:
    """The entries of these numbers that are still there, in this order."""
    columns = [entries.c.id, entries.c.seq, entries.c.version, entries.c.source, entries.c.mapped_from]
    if vectors:
        columns.append(entries.c.vector)
    rows: dict[int, Stored] = {}
    with reading(store.engine) as connection:
        for start in range(0, len(seqs), 500):
            some = seqs[start : start + 500].tolist()
            for row in connection.execute(select(*columns).where(still_old(found), entries.c.seq.in_(some))):
                rows[row.seq] = Stored(*row)
    return [rows[seq] for seq in seqs.tolist() if seq in rows]


def _matrix(rows: Sequence[Stored]) -> np.ndarray:
    """float32 (n, d) of entries of one version."""
    return np.frombuffer(b"".join(row.vector or b"" for row in rows), "<f4").reshape(len(rows), -1)
