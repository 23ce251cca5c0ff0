"""What a backfill would cost and bring, told by a probe before anything is moved."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import func, select

from holdfast.backfill.images import EMBEDDED, read_image
from holdfast.backfill.mover import AdapterMover, Stored
from holdfast.backfill.remaining import count_by_origin, still_old
from holdfast.backfill.rules import Kind, refuse_projection, require_adapters
from holdfast.backfill.sources import Sources, UnreadableError, require_sources
from holdfast.base import DataError, InvalidImageError, TooManyPixelsError
from holdfast.store import Store, current_counter, metadata, reading

entries = metadata.tables["entries"]


@dataclass(frozen=True)
class Gain:
    """What queries by the target find among the entries of one version.

    Attributes:
        now, then: Recall@1 as the two meet today, and among entries that the target embedded itself, in one
            measurement; None where that was not made.
        truth: what told a right entry; None like them.
    """

    version: str
    entries: int
    now: float | None = None
    then: float | None = None
    truth: str | None = None


@dataclass(frozen=True)
class Price:
    """A plan, before anything is done.

    Attributes:
        target, kind: as of a backfill.
        entries: how many would move.
        by_version: whose they are, and what that is worth; empty for a map, which ranks as searches through
            the adapter do.
        probed: how many of them were tried; unreadable: those that failed, by why.
        readable: how many of all can be moved, as far as the probe tells.
        seconds: of work in one process, at the probe's pace.
        read_bytes, write_bytes: of image files and of vectors.
    """

    target: str
    kind: Kind
    entries: int
    by_version: tuple[Gain, ...]
    probed: int
    readable: int
    seconds: float
    read_bytes: int
    write_bytes: int
    unreadable: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For a program."""
        return asdict(self)


def price(store: Store, target: str, kind: Kind, named: Sequence[str] | None, roots: Sequence[str]) -> Price:
    """What a backfill would cost, by trying `EMBEDDED` entries drawn at random; nothing is written.

    Args:
        target: name or alias. named: versions whose entries move; by default all others.
        roots: folders and URL prefixes below which images may be read.

    Raises NotFoundError, DataError if there is nothing to move, IncompatibleError where no adapter maps the
    entries, NotEmbeddableError for a target without a model, and ConfigError for a projection, or where no
    image may be read.
    """
    goal = store.versions.get(target)
    refuse_projection(goal)
    with reading(store.engine) as connection:
        found = count_by_origin(connection, kind, goal.name)
        wanted = [store.versions.get(name).name for name in named] if named is not None else list(found)
        counts = {name: found[name] for name in wanted if name != goal.name and found.get(name)}
        if not counts:
            raise DataError(
                "There is nothing to backfill: the gallery holds no entry of versions other than "
                f"{goal.name}, or of those that were named."
            )
        require_sources(kind, roots)
        if kind == "map":
            require_adapters(connection, goal.name, list(counts))
        until = current_counter(connection, "entries")
        old = still_old(kind, goal.name, list(counts), until)
        drawn = select(entries.c.seq).where(old).order_by(func.random()).limit(EMBEDDED)
        columns = [entries.c[name] for name in ("id", "seq", "version", "source", "mapped_from", "vector")]
        rows = connection.execute(select(*columns).where(entries.c.seq.in_(drawn)))
        probes = [Stored(*row) for row in rows]
    total = sum(counts.values())
    tried = (
        _try_map(store, goal.name, list(counts), probes)
        if kind == "map"
        else _try_images(store, goal.name, probes, Sources.of(roots))
    )
    share = tried.done / len(probes)
    return Price(
        target=goal.name,
        kind=kind,
        entries=total,
        by_version=tuple(_gain(store, goal.name, name, count) for name, count in counts.items())
        if kind == "re-embed"
        else (),
        probed=len(probes),
        readable=round(total * share),
        seconds=tried.seconds / len(probes) * total,
        read_bytes=round(tried.bytes / len(probes) * total),
        write_bytes=round(total * share) * 4 * goal.dimension,
        unreadable=dict(tried.failed),
    )


@dataclass(frozen=True)
class _Tried:
    done: int
    seconds: float
    bytes: int
    failed: Counter[str]


def _try_images(store: Store, target: str, probes: Sequence[Stored], sources: Sources) -> _Tried:
    model = store.versions.load(target)
    model.check()
    begun = time.perf_counter()
    failed: Counter[str] = Counter()
    pixels, size = [], 0
    for probe in probes:
        try:
            content = read_image(probe.source, sources)
            pixels.append(model.prepare(content))
            size += len(content)
        except UnreadableError as error:
            failed[str(error)] += 1
        except TooManyPixelsError:
            failed["too many pixels"] += 1
        except InvalidImageError:
            failed["not an image"] += 1
    if pixels:
        model.embed(np.stack(pixels))
    return _Tried(len(pixels), time.perf_counter() - begun, size, failed)


def _try_map(store: Store, target: str, sources: Sequence[str], probes: Sequence[Stored]) -> _Tried:
    mover = AdapterMover(store, target, sources)
    begun = time.perf_counter()
    (moved,) = mover.move(iter([list(probes)]))
    return _Tried(
        len(moved.rows), time.perf_counter() - begun, 0, Counter(reason for _, reason in moved.skipped)
    )


def _gain(store: Store, target: str, source: str, count: int) -> Gain:
    now = store.compatibility.get(target, source)
    alone = [row for row in store.compatibility.ways() if row.query == row.gallery == target]
    then = next(
        (row for row in alone if now and (row.evaluation, row.truth) == (now.evaluation, now.truth)), None
    )
    if now is None or then is None:
        return Gain(source, count)
    return Gain(source, count, now.value, then.value, now.truth)
