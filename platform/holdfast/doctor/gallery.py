"""Checks of what is served: versions, traffic, pairs, adapters, backfills, the writer, and the index."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from holdfast.backfill import Backfills
from holdfast.base import HoldfastError, StoreError
from holdfast.doctor.checks import Check, Said, fail, ok, warn
from holdfast.doctor.memory import available_memory, gibibytes
from holdfast.entries import Entries, LeaseHeldError, refuse_if_held
from holdfast.index import IndexConfig
from holdfast.store import Store, Version, incompatibility, reading

STUCK = timedelta(minutes=1)
NAME_BYTES = 150
"""What an entry takes beside its vector: its id, its number, its attributes' columns. Rough."""


def traffic(store: Store) -> Said:
    """Whether a version answers, and can."""
    now = store.traffic.current()
    if not store.versions.list():
        return warn("The store has no versions: run an experiment (holdfast run), or adopt a model.")
    if now.query_version is None:
        return warn("No version is live, so every query is answered 503: holdfast promote VERSION.")
    live = store.versions.get(now.query_version)
    if not live.takes:
        return warn(
            f"{live.name} is live and embeds nothing itself, as its vectors came alone: only searches "
            "by vector or by id are answered. Adopt its model, or promote a version that has one."
        )
    forced = ", forced although its compatibility was not measured or failed" if now.forced else ""
    keys = f" and those of {', '.join(now.canary_keys)}" if now.canary_keys else ""
    canary = f", {now.canary_share:.0%} of them{keys} by {now.canary_version}" if now.canary_version else ""
    said = f"Queries by {live.name}{canary}, new entries by {now.write_version}, epoch {now.epoch}{forced}."
    return warn(f"{said} See holdfast versions.") if now.forced else ok(said)


def entries(store: Store) -> Said:
    """Whether there is something to find, of the versions that are served."""
    counts = Entries(store).count()
    if not counts:
        return warn("The gallery is empty: holdfast gallery import FILE, or PUT /v1/gallery/entries.")
    served = {version.name: version.space for version in _served(store)}
    empty = [name for name, space in served.items() if not counts.get(space)]
    shown = ", ".join(f"{count:,} of {name}" for name, count in counts.items())
    if empty:
        return ok(f"{shown}. None of {', '.join(empty)} yet, which {_is(empty)} served.")
    return ok(f"{shown}.")


def pairs(store: Store) -> Said:
    """Whether the versions that answer may search all entries that there are."""
    counts = Entries(store).count()
    served = _served(store)
    problems: list[str] = []
    lost = dict.fromkeys((version.name for version in served), 0)
    with reading(store.engine) as connection:
        for version in served:
            for gallery, count in counts.items():
                problem = incompatibility(connection, version.name, gallery, provisional=True)
                if problem is not None:
                    problems.append(f"{problem.sentence} ({problem.remedy})")
                    lost[version.name] += count
    blind = [name for name, count in lost.items() if count and count == sum(counts.values())]
    if blind:
        return fail(f"{', '.join(blind)} may search no entry, so searches answer 409: {'; '.join(problems)}.")
    if problems:
        left = ", ".join(f"{count:,} by {name}" for name, count in lost.items() if count)
        return warn(f"Entries are left out of searches ({left}): {'; '.join(problems)}.")
    looked = [store.compatibility.get(version.name, gallery) for version in served for gallery in counts]
    cascades = [f"{row.gallery} by {row.query}" for row in looked if row is not None and row.candidates]
    needs = f" {', '.join(cascades)} in a cascade, for which the server needs --sources." if cascades else ""
    return ok(f"All entries may be searched by every version that answers.{needs}")


def adapters(store: Store) -> Said:
    """Whether the maps between served versions and entries are there, and are what was measured."""
    counts = Entries(store).count()
    served = [version.name for version in _served(store)]
    needed = [row for row in store.adapters.list() if row.query in served and row.gallery in counts]
    spoilt = []
    for row in needed:
        try:
            store.adapters.open(row)
        except HoldfastError as error:
            spoilt.append(str(error))
    if spoilt:
        return fail(" ".join(spoilt))
    return ok(f"{len(needed)} adapters are needed, and there.")


def backfills(store: Store) -> Said:
    """Whether one waits for somebody."""
    now = datetime.now(UTC)
    found = Backfills(store).list()
    stuck = [
        each.name
        for each in found
        if each.status == "running"
        and not each.is_attended(now)
        and now - (each.seen_at or each.created_at) > STUCK
    ]
    failed = [each for each in found if each.status == "failed"]
    if stuck:
        return fail(
            f"{', '.join(stuck)} should run, and nobody works on it: start the server, or "
            f"holdfast backfill resume {stuck[0]}."
        )
    if failed:
        last = failed[-1]
        return warn(
            f"{last.name} failed: {last.error or 'it says no reason'} Once that is mended: "
            f"holdfast backfill resume {last.name}, or cancel it."
        )
    running = [
        f"{each.name} at {each.done:,} of {each.total:,}" for each in found if each.status == "running"
    ]
    paused = [each.name for each in found if each.status == "paused"]
    if paused:
        return ok(f"{', '.join(paused)} {_is(paused)} paused; holdfast backfill resume goes on.")
    return ok(f"Running: {', '.join(running)}." if running else "None runs.")


def writer(store: Store) -> Said:
    """Who writes."""
    try:
        refuse_if_held(store)
    except LeaseHeldError as error:
        holder = error.holder
        return ok(f"{holder} writes to this store, such as a server does." if holder else str(error))
    return ok("Nobody writes to this store now: no server and no import.")


def index(store: Store) -> Said:
    """Whether what is kept of the index on this machine can be used."""
    from holdfast.index import Snapshots

    folder = Path(store.index_folder)
    if folder.exists() and not folder.is_dir():
        return fail(f"{folder} is no folder, so no snapshot can be kept: delete it, and it is made anew.")
    snapshots = Snapshots(folder, store)
    spoilt = []
    for mark in snapshots.believed():
        try:
            snapshots.read(mark, lambda files: None)
        except (StoreError, OSError) as error:
            spoilt.append(f"{snapshots.path(mark).name} ({error})")
    if spoilt:
        return warn(
            f"Snapshots of the index are damaged: {'; '.join(spoilt)} They are not used, and the next start "
            f"takes longer. Delete them in {snapshots.folder}, and run holdfast gallery snapshot."
        )
    foreign = snapshots.foreign()
    if foreign:
        return warn(
            f"{len(foreign)} snapshots in {snapshots.folder} are of another database, or of another history "
            "of this one (a restored backup): they are not used. Delete them when nobody needs them."
        )
    newest = snapshots.newest()
    return ok(f"The newest snapshot holds everything up to write {newest:,}." if newest else "No snapshot.")


def index_memory(store: Store) -> Said:
    """Whether the index of a gateway fits into memory."""
    needed = _index_bytes(store)
    free, total = available_memory()
    said = f"The index takes about {gibibytes(needed)} in each gateway"
    if needed > total:
        return fail(
            f"{said}, and this machine has {gibibytes(total)}: take shorter codes (--set index.codes=pq4), a "
            "larger machine, or Milvus (see Which index in docs/operations.md)."
        )
    if needed > free and not _has_writer(store):
        return warn(f"{said}, and {gibibytes(free)} are available: close something, or start fewer replicas.")
    return ok(f"{said}, of {gibibytes(free)} that are available.")


def _index_bytes(store: Store) -> float:
    config = IndexConfig()
    dimensions = {version.name: version.dimension for version in store.versions.list()}
    served = [version.name for version in _served(store)]
    mapped = [row.gallery for row in store.adapters.list() if row.query in served]
    needed = 0.0
    for name, count in Entries(store).count().items():
        width = 1 if count >= config.threshold else 4
        needed += count * (NAME_BYTES + dimensions[name] * (width + 4 * mapped.count(name)))
    return needed


def _served(store: Store) -> list[Version]:
    now = store.traffic.current()
    named = dict.fromkeys(name for name in (now.query_version, now.canary_version) if name is not None)
    return [store.versions.get(name) for name in named]


def _has_writer(store: Store) -> bool:
    try:
        refuse_if_held(store)
    except LeaseHeldError:
        return True
    return False


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


GALLERY = (
    Check("traffic", traffic),
    Check("entries", entries),
    Check("pairs", pairs),
    Check("adapters", adapters),
    Check("backfills", backfills),
    Check("writer", writer),
    Check("index", index),
    Check("index memory", index_memory),
)
