"""The traffic record: which version embeds queries, which embeds new entries, and the canary.

Append-only: a change is a new record with the next epoch, so what served when can always be told.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from sqlalchemy import Connection, Engine, exists, insert, select

from holdfast.base import ConfigError, ConflictError, IncompatibleError, StaleEpochError, version_number
from holdfast.store.compatibility import Incompatibility, explain_problems, incompatibility
from holdfast.store.database import (
    advance_counter,
    entries,
    lock_counter,
    reading,
    traffic,
    versions,
    writing,
)
from holdfast.store.traffic_record import Traffic, aliases, all_records, current_record
from holdfast.store.versions import find_version


class Keep(Enum):
    """The type of `KEEP`."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP  # leave this part of the record as it is
_ROLLBACK = re.compile(r"roll back to (?P<epoch>\d{1,18})\b")


class TrafficLog:
    """The traffic records of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def current(self) -> Traffic:
        """The record in force."""
        with reading(self._engine) as connection:
            return current_record(connection)

    def history(self) -> list[Traffic]:
        """All records, oldest first."""
        with reading(self._engine) as connection:
            return all_records(connection)

    def change(
        self,
        expect_epoch: int | None = None,
        *,
        query_version: str | Keep | None = KEEP,
        write_version: str | Keep | None = KEEP,
        canary_version: str | Keep | None = KEEP,
        canary_share: float | Keep = KEEP,
        canary_keys: Sequence[str] | Keep = KEEP,
        force: bool = False,
        note: str = "",
        made_by: str = "",
    ) -> Traffic:
        """Append a record; what is not given stays. `note` says why, `made_by` who.

        A version may embed queries (as the query version or the canary) only if it was measured to be
        compatible with the write version, with every version that has entries, and with the older query
        version that it takes over from. `force` overrides that, and is recorded when it did.

        Raises StaleEpochError when `expect_epoch` is not the current epoch, IncompatibleError,
        NotFoundError for an unknown version, ConfigError for an impossible share.
        """
        with writing(self._engine) as connection:
            current = _lock(connection, expect_epoch)
            wanted = replace(
                current,
                query_version=current.query_version if query_version is KEEP else query_version,
                write_version=current.write_version if write_version is KEEP else write_version,
                canary_version=current.canary_version if canary_version is KEEP else canary_version,
                canary_share=current.canary_share if canary_share is KEEP else canary_share,
                canary_keys=current.canary_keys if canary_keys is KEEP else tuple(dict.fromkeys(canary_keys)),
            )
            if canary_version is None and canary_share is KEEP:
                wanted = replace(wanted, canary_share=0.0)
            if canary_version is None and canary_keys is KEEP:
                wanted = replace(wanted, canary_keys=())
            return _append(connection, current, replace(wanted, made_by=made_by), force, note)

    def promote(
        self,
        name: str,
        *,
        writes: bool = False,
        expect_epoch: int | None = None,
        force: bool = False,
        note: str = "",
        made_by: str = "",
    ) -> Traffic:
        """Let a version embed the queries, and with `writes` also the new entries (the second switch).

        The first version that is ever promoted embeds both. A canary that is promoted is no longer one. Of a
        projection the base embeds the entries.
        Raises what `change` raises.
        """
        with writing(self._engine) as connection:
            current = _lock(connection, expect_epoch)
            wanted = replace(current, query_version=name, made_by=made_by)
            if writes or current.write_version is None:
                wanted = replace(wanted, write_version=find_version(connection, name).space)
            if current.canary_version == name:
                wanted = replace(wanted, canary_version=None, canary_share=0.0, canary_keys=())
            return _append(connection, current, wanted, force, note or f"promote {name}")

    def rollback(
        self,
        expect_epoch: int | None = None,
        *,
        force: bool = False,
        note: str = "",
        made_by: str = "",
    ) -> Traffic:
        """Bring back the previous record that differs from the current one, under the same check; once more,
        and it is the one before that.

        Raises ConflictError when there is none, and what `change` raises.
        """
        with writing(self._engine) as connection:
            current = _lock(connection, expect_epoch)
            history = all_records(connection)
            position = _brought_back(history, current).epoch
            before_it = [record for record in history if record.epoch < position]
            earlier = [record for record in before_it if record.versions != current.versions]
            if not earlier:
                raise ConflictError(
                    f"There is nothing to roll back to: no record before epoch {position} differs from it."
                )
            before = earlier[-1]
            wanted = replace(
                current,
                query_version=before.query_version,
                write_version=before.write_version,
                canary_version=before.canary_version,
                canary_share=before.canary_share,
                canary_keys=before.canary_keys,
                made_by=made_by,
            )
            mark = f"roll back to {before.epoch}"
            return _append(connection, current, wanted, force, f"{mark}: {note}" if note else mark)

    def aliases(self) -> dict[str, str]:
        """`live`, `canary`, `writing`, `previous`: those that stand for a version now."""
        with reading(self._engine) as connection:
            return aliases(connection)


def _brought_back(history: Sequence[Traffic], record: Traffic) -> Traffic:
    """The record whose state a rollback brought back, the first one of several; any other record itself."""
    by_epoch = {each.epoch: each for each in history}
    while (mark := _ROLLBACK.match(record.note)) is not None:
        before = by_epoch.get(int(mark["epoch"]))
        # Anybody may write such a note: it counts if it is true.
        if before is None or before.epoch >= record.epoch or before.versions != record.versions:
            break
        record = before
    return record


def _lock(connection: Connection, expect_epoch: int | None) -> Traffic:
    lock_counter(connection, "traffic")
    current = current_record(connection)
    if expect_epoch is not None and expect_epoch != current.epoch:
        raise StaleEpochError(
            f"The traffic is at epoch {current.epoch}, not {expect_epoch}: somebody changed it meanwhile. "
            "Read it again and decide anew."
        )
    return current


def _append(connection: Connection, current: Traffic, wanted: Traffic, force: bool, note: str) -> Traffic:
    for name in (wanted.query_version, wanted.write_version, wanted.canary_version):
        if name is not None:
            find_version(connection, name)
    _check_shape(wanted)
    _check_writes(connection, wanted.write_version)
    problems = _incompatibilities(connection, current, wanted)
    if problems and not force:
        raise IncompatibleError(explain_problems(problems))
    record = replace(
        wanted,
        epoch=advance_counter(connection, "traffic"),
        forced=bool(problems),
        note=note,
        created_at=datetime.now(UTC),
    )
    connection.execute(insert(traffic).values(**record.__dict__))
    return record


def _check_shape(wanted: Traffic) -> None:
    if not 0.0 <= wanted.canary_share <= 1.0:
        raise ConfigError(f"canary_share is {wanted.canary_share}: it is a share, from 0 to 1.")
    if wanted.canary_version is None and wanted.canary_share > 0:
        raise ConfigError("canary_share is above 0, but there is no canary_version to send it to.")
    if wanted.canary_version is None and wanted.canary_keys:
        raise ConfigError("canary_keys are named, but there is no canary_version to send them to.")
    if wanted.query_version is None and (wanted.canary_version or wanted.write_version):
        raise ConfigError("There is no query_version: promote a version first.")


def _check_writes(connection: Connection, name: str | None) -> None:
    """Raises ConfigError for a version in whose space there can be no entries."""
    if name is not None and (space := find_version(connection, name).space) != name:
        raise ConfigError(
            f"{name} is a projection over {space}, and finds its entries as they are: new entries stay in "
            f"the space of {space}, so it is {space} that embeds them."
        )


def _incompatibilities(connection: Connection, current: Traffic, wanted: Traffic) -> list[Incompatibility]:
    present = select(versions.c.name).where(
        exists().where(entries.c.version == versions.c.name, entries.c.deleted.is_(False))
    )
    searched = set(connection.execute(present).scalars())
    if wanted.write_version is not None:
        searched.add(wanted.write_version)
    problems = []
    for name in dict.fromkeys((wanted.query_version, wanted.canary_version)):
        if name is None:
            continue
        needed = set(searched)
        # A newer version must not be worse than the one that it takes over from. The way back needs no such
        # measurement: the older version meets only entries that it could always search.
        if current.query_version is not None and version_number(current.query_version) < version_number(name):
            needed.add(current.query_version)
        for gallery in sorted(needed, key=version_number):
            problem = incompatibility(connection, name, gallery)
            if problem is not None:
                problems.append(problem)
    return problems
