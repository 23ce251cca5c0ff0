"""Taking a version out of use: its row stays, so that its name is never given again, and its files go."""

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, func, or_, select, update

from holdfast.base import ConflictError
from holdfast.store.artifacts import Artifacts
from holdfast.store.database import (
    adapters,
    advance_counter,
    calibrations,
    entries,
    lock_counter,
    metadata,
    renew_nonce,
    runs,
    schedule,
    versions,
    writing,
)
from holdfast.store.traffic import VERSIONS, aliases
from holdfast.store.versions import Version, find_named, version_of

_UNFINISHED = ("running", "paused")


def retire_version(engine: Engine, artifacts: Artifacts, name: str) -> Version:
    """Take a version out of use for good, and remove its files and its adapters.

    What was measured of it stays in the database. A crash in between leaves files that nobody refers to.

    Args:
        name: as `Versions.get` takes it.

    Raises:
        NotFoundError: an unknown version, or one that was retired.
        ConflictError: it is still needed: for traffic or a change of it that is to come, for entries, as the
            base of a projection, by a run or a backfill that is not finished.
    """
    with writing(engine) as connection:
        # Whoever writes entries, changes the traffic or publishes waits, and then finds it retired.
        for counter in ("versions", "traffic", "entries", "backfills"):
            lock_counter(connection, counter)
        version = find_named(connection, name)
        needs = _needs(connection, version)
        if needs:
            raise ConflictError(f"{version.name} cannot be retired: {'; '.join(needs)}.")
        files = _only_of(connection, version)
        for table in (adapters, calibrations):
            connection.execute(delete(table).where(_names(table, version.name)))
        connection.execute(
            update(versions)
            .where(versions.c.name == version.name)
            .values(retired_at=datetime.now(UTC).replace(microsecond=0))
        )
        renew_nonce(connection, "versions")
        advance_counter(connection, "compatibility")
        row = connection.execute(select(versions).where(versions.c.name == version.name)).one()
    for file in files:
        artifacts.remove(file)
    return version_of(row)


def _needs(connection: Connection, version: Version) -> list[str]:
    """Why it is still needed, each with what to do."""
    name, found = version.name, []
    named = [alias for alias, stands_for in aliases(connection).items() if stands_for == name]
    if named:
        found.append(f"it is {' and '.join(named)} in the traffic, so promote another version first")
    waiting = select(schedule.c.number, schedule.c.changes).where(schedule.c.status == "waiting")
    coming = [f"s{row.number}" for row in connection.execute(waiting) if _is_in(name, row.changes)]
    if coming:
        found.append(
            f"{', '.join(coming)} of the schedule is to change the traffic to it, so cancel that first"
        )
    there = (entries.c.version == name) & ~entries.c.deleted
    count = connection.execute(select(func.count()).select_from(entries).where(there)).scalar_one()
    if count:
        found.append(f"{count:,} entries of the gallery are its own, so backfill or delete them first")
    above = select(versions.c.name).where(versions.c.base == name, versions.c.retired_at.is_(None))
    over = list(connection.execute(above.order_by(versions.c.number)).scalars())
    if over:
        found.append(f"{', '.join(over)} are projections over it, so retire them first")
    learning = select(runs.c.name).where(runs.c.parent == name, runs.c.status == "running")
    begun = list(connection.execute(learning).scalars())
    if begun:
        found.append(f"the run {', '.join(begun)} starts from it and is not finished")
    backfills = metadata.tables["backfills"]
    moving = select(backfills.c.number, backfills.c.sources, backfills.c.target).where(
        backfills.c.status.in_(_UNFINISHED)
    )
    at_work = [f"b{row.number}" for row in connection.execute(moving) if name in (row.target, *row.sources)]
    if at_work:
        found.append(f"the backfill {', '.join(at_work)} is not finished, so wait for it or cancel it")
    return found


def _is_in(name: str, changes: dict[str, object]) -> bool:
    return any(changes.get(field) == name for field in VERSIONS)


def _only_of(connection: Connection, version: Version) -> list[str]:
    """Its files, and those of its adapters, which no other version and no other pair has."""
    others = select(versions.c.name).where(
        versions.c.artifacts == version.artifacts,
        versions.c.name != version.name,
        versions.c.retired_at.is_(None),
    )
    shared = connection.execute(others).first() is not None
    files = [] if shared else [f"{version.artifacts}/{file}" for file in version.files]
    ours = _names(adapters, version.name)
    kept = set(connection.execute(select(adapters.c.artifact).where(~ours)).scalars())
    maps = connection.execute(select(adapters.c.artifact).where(ours).distinct()).scalars()
    return [*files, *(artifact for artifact in maps if artifact not in kept)]


def _names(pairs: Table, name: str) -> ColumnElement[bool]:
    return or_(pairs.c.query == name, pairs.c.gallery == name)
