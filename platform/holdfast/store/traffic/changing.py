"""One change of the traffic record, under the checks that every change has to pass."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, exists, insert, select

from holdfast.base import ConfigError, IncompatibleError, version_number
from holdfast.store.compatibility import Incompatibility, explain_problems, incompatibility
from holdfast.store.database import advance_counter, entries, traffic, versions
from holdfast.store.traffic.gate import ShadowGate
from holdfast.store.traffic.record import Traffic
from holdfast.store.traffic.shadow import current_shadow
from holdfast.store.versions import find_version

FIELDS = (
    "query_version", "write_version", "canary_version", "canary_share", "canary_keys", "shadow_version",
    "shadow_share",
)  # fmt: skip
"""Of a record, what a change may name."""
VERSIONS = ("query_version", "write_version", "canary_version", "shadow_version")


def change_record(
    connection: Connection,
    current: Traffic,
    changes: Mapping[str, Any],
    *,
    force: bool = False,
    require: ShadowGate | None = None,
    note: str = "",
    made_by: str = "",
) -> Traffic:
    """Append a record; of `FIELDS`, what is not in `changes` stays. The caller holds the counter `traffic`.

    A canary or a shadow that becomes the query version is neither any more.
    """
    wanted = replace(current, **changes, made_by=made_by)
    became = wanted.query_version if wanted.query_version != current.query_version else None
    if wanted.canary_version is None or ("canary_version" not in changes and wanted.canary_version == became):
        kept = {name: changes[name] for name in ("canary_share", "canary_keys") if name in changes}
        gone = {"canary_version": None, "canary_share": 0.0, "canary_keys": ()}
        wanted = replace(wanted, **{**gone, **kept})
    if wanted.shadow_version is None or (
        "shadow_version" not in changes and wanted.shadow_version == wanted.query_version
    ):
        wanted = replace(wanted, shadow_version=None, shadow_share=changes.get("shadow_share", 1.0))
    wanted = replace(wanted, canary_keys=tuple(dict.fromkeys(wanted.canary_keys)))
    if require is not None:
        note = f"{note} ({_require(connection, current, wanted, require)})".lstrip()
    return append_record(connection, current, wanted, force, note)


def append_record(
    connection: Connection, current: Traffic, wanted: Traffic, force: bool, note: str
) -> Traffic:
    """`wanted` as the next record, if it passes. Raises what `TrafficLog.change` raises."""
    for field in VERSIONS:
        if (name := getattr(wanted, field)) is not None:
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


def _require(connection: Connection, current: Traffic, wanted: Traffic, gate: ShadowGate) -> str:
    """What the gate lets pass, in words. Raises GateError, and ConfigError where it would judge nobody."""
    named = dict.fromkeys((wanted.query_version, wanted.canary_version))
    judged = [name for name in named if name is not None and name != current.query_version]
    if not judged:
        raise ConfigError(
            "require judges a version before it answers queries, and this change names none: name a "
            "query_version or a canary_version."
        )
    found = current_shadow(connection)
    return "; ".join([gate.require(name, current.query_version, found) for name in judged])


def _check_shape(wanted: Traffic) -> None:
    if not 0.0 <= wanted.canary_share <= 1.0:
        raise ConfigError(f"canary_share is {wanted.canary_share}: it is a share, from 0 to 1.")
    if wanted.canary_version is None and wanted.canary_share > 0:
        raise ConfigError("canary_share is above 0, but there is no canary_version to send it to.")
    if wanted.canary_version is None and wanted.canary_keys:
        raise ConfigError("canary_keys are named, but there is no canary_version to send them to.")
    if not 0.0 <= wanted.shadow_share <= 1.0:
        raise ConfigError(f"shadow_share is {wanted.shadow_share}: it is a share, from 0 to 1.")
    if wanted.shadow_version is None and wanted.shadow_share != 1:
        raise ConfigError("shadow_share is given, but there is no shadow_version to send it to.")
    if wanted.shadow_version is not None and wanted.shadow_version == wanted.query_version:
        raise ConfigError(
            f"{wanted.shadow_version} answers the queries itself: a shadow is another version, beside it."
        )
    others = (wanted.canary_version, wanted.write_version, wanted.shadow_version)
    if wanted.query_version is None and any(others):
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
