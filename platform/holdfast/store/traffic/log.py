"""The traffic record: which version embeds queries, which embeds new entries, and the canary.

Append-only: a change is a new record with the next epoch, so what served when can always be told.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Any, Final

from sqlalchemy import Connection, Engine

from holdfast.base import ConflictError, StaleEpochError
from holdfast.store.database import lock_counter, reading, writing
from holdfast.store.traffic.changing import append_record, change_record
from holdfast.store.traffic.gate import ShadowGate
from holdfast.store.traffic.record import Traffic, aliases, all_records, current_record
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
        shadow_version: str | Keep | None = KEEP,
        shadow_share: float | Keep = KEEP,
        force: bool = False,
        require: ShadowGate | None = None,
        note: str = "",
        made_by: str = "",
    ) -> Traffic:
        """Append a record; what is not given stays. `note` says why, `made_by` who.

        A version may embed queries (as the query version or the canary) only if it was measured to be
        compatible with the write version, with every version that has entries, and with the older query
        version that it takes over from. `force` overrides that, and is recorded when it did. `require` is
        what a version has to have shown as the shadow before it may, which `force` does not override. A
        shadow needs nothing: nobody sees its answers.

        Raises StaleEpochError when `expect_epoch` is not the current epoch, IncompatibleError, GateError,
        NotFoundError for an unknown version, ConfigError for an impossible share.
        """
        given: dict[str, Any] = {
            "query_version": query_version,
            "write_version": write_version,
            "canary_version": canary_version,
            "canary_share": canary_share,
            "canary_keys": canary_keys,
            "shadow_version": shadow_version,
            "shadow_share": shadow_share,
        }
        changes = {name: value for name, value in given.items() if value is not KEEP}
        with writing(self._engine) as connection:
            current = lock_record(connection, expect_epoch)
            return change_record(
                connection, current, changes, force=force, require=require, note=note, made_by=made_by
            )

    def promote(
        self,
        name: str,
        *,
        writes: bool = False,
        expect_epoch: int | None = None,
        force: bool = False,
        require: ShadowGate | None = None,
        note: str = "",
        made_by: str = "",
    ) -> Traffic:
        """Let a version embed the queries, and with `writes` also the new entries (the second switch).

        The first version that is ever promoted embeds both. A canary that is promoted is no longer one, nor
        is a shadow. Of a projection the base embeds the entries.
        Raises what `change` raises.
        """
        with writing(self._engine) as connection:
            current = lock_record(connection, expect_epoch)
            changes: dict[str, Any] = {"query_version": name}
            if writes or current.write_version is None:
                changes["write_version"] = find_version(connection, name).space
            note = note or f"promote {name}"
            return change_record(
                connection, current, changes, force=force, require=require, note=note, made_by=made_by
            )

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
            current = lock_record(connection, expect_epoch)
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
            if wanted.shadow_version == wanted.query_version:
                wanted = replace(wanted, shadow_version=None, shadow_share=1.0)
            mark = f"roll back to {before.epoch}"
            return append_record(connection, current, wanted, force, f"{mark}: {note}" if note else mark)

    def withdraw(self, name: str, expect_epoch: int, *, note: str, made_by: str) -> Traffic:
        """Take a version away that answers queries and should not: of a canary the share and the keys, of the
        query version all that it took over, which the version before it has again.

        Raises ConflictError if it answers none, or nobody was before it, and what `change` raises.
        """
        with writing(self._engine) as connection:
            current = lock_record(connection, expect_epoch)
            if current.canary_version == name:
                wanted = without_canary(current)
                mark = f"take the canary {name} away"
            elif current.query_version == name:
                before = before_version(all_records(connection))
                if before is None:
                    raise ConflictError(f"No version answered queries before {name}.")
                wanted = replace(current, query_version=before.query_version)
                if current.write_version in (name, find_version(connection, name).space):
                    wanted = replace(wanted, write_version=before.write_version)
                if wanted.shadow_version == wanted.query_version:
                    wanted = replace(wanted, shadow_version=None, shadow_share=1.0)
                mark = f"roll back to {before.epoch}"
            else:
                raise ConflictError(f"{name} answers no queries that it could be relieved of.")
            return append_record(
                connection, current, replace(wanted, made_by=made_by), False, f"{mark}: {note}"
            )

    def took_over(self) -> tuple[Traffic, Traffic | None]:
        """The record that made the query version of now that, and the last one before it, if another version
        was it then."""
        with reading(self._engine) as connection:
            history = all_records(connection)
        before = before_version(history)
        began = [record for record in history if before is None or record.epoch > before.epoch]
        return (began[0] if began else Traffic()), before

    def aliases(self) -> dict[str, str]:
        """`live`, `canary`, `shadow`, `writing`, `previous`: those that stand for a version now."""
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


def lock_record(connection: Connection, expect_epoch: int | None) -> Traffic:
    """The record of now, which stays that until the transaction ends. Raises StaleEpochError."""
    lock_counter(connection, "traffic")
    current = current_record(connection)
    if expect_epoch is not None and expect_epoch != current.epoch:
        raise StaleEpochError(
            f"The traffic is at epoch {current.epoch}, not {expect_epoch}: somebody changed it meanwhile. "
            "Read it again and decide anew."
        )
    return current


def without_canary(record: Traffic) -> Traffic:
    return replace(record, canary_version=None, canary_share=0.0, canary_keys=())


def before_version(history: Sequence[Traffic]) -> Traffic | None:
    """The last record before the query version of now became that, if another one was it then."""
    now = history[-1].query_version if history else None
    for record in reversed(history):
        if record.query_version != now:
            return None if record.query_version is None else record
    return None
