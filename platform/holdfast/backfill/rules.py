"""What a backfill may be: its options, and that no entry gets out of reach."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, cast, get_args

from sqlalchemy import Connection

from holdfast.base import ConfigError, IncompatibleError
from holdfast.store import Incompatibility, Version, find_adapter, find_version, incompatibility

Kind = Literal["map", "re-embed"]
Order = Literal["gain", "random", "oldest"]

MAX_BATCH = 10_000
MIN_PACE, MAX_PACE = 1e-4, 1e6
"""Entries a second: one in three hours, and more than any machine writes."""
MAX_WORKERS = 256


def check_kind(kind: str) -> Kind:
    """Raises ConfigError for a word that names none."""
    if kind not in get_args(Kind):
        raise ConfigError(f"kind is {kind!r}: {' and '.join(get_args(Kind))} are allowed.")
    return cast(Kind, kind)


def check_options(kind: Kind, order: Order, batch: int, pace: float | None, workers: int) -> None:
    """Raises ConfigError for an option that cannot be."""
    check_kind(kind)
    if order not in get_args(Order):
        raise ConfigError(f"order is {order!r}: {', '.join(get_args(Order))} are allowed.")
    if not 1 <= batch <= MAX_BATCH:
        raise ConfigError(f"batch_size is {batch}: 1 to {MAX_BATCH:,} entries are moved at once.")
    if pace is not None and not MIN_PACE <= pace <= MAX_PACE:
        raise ConfigError(
            f"pace is {pace:g}: {MIN_PACE:g} to {MAX_PACE:,.0f} entries a second are allowed; leave it out "
            "for as fast as it goes."
        )
    if not 0 <= workers <= MAX_WORKERS:
        raise ConfigError(
            f"workers is {workers}: 0 works in one process, 1 to {MAX_WORKERS} with as many of Ray's actors."
        )


def refuse_projection(target: Version) -> None:
    """Raises ConfigError for a target to which no entry can be moved."""
    if target.base is not None:
        raise ConfigError(
            f"{target.name} is a projection over {target.base}, and finds its entries as they are: nothing "
            f"need be moved. What others embedded is moved to {target.base}."
        )


def takes_entries(connection: Connection, target: str) -> bool:
    """Whether there can be entries in the space of a version; those for a projection stay in its base's."""
    return find_version(connection, target).space == target


def require_adapters(connection: Connection, target: str, sources: Sequence[str]) -> None:
    """Raises IncompatibleError unless an adapter maps the entries of each of these to the target."""
    found = {name: find_adapter(connection, target, name) for name in sources}
    missing = [name for name, adapter in found.items() if adapter is None or adapter.maps != "entries"]
    if missing:
        raise IncompatibleError(
            f"No adapter maps entries of {' and '.join(missing)} to {target}: train with one that maps "
            "entries, name other versions to move, or re-embed the images."
        )


def unreachable(connection: Connection, target: str, named: dict[str, str]) -> list[Incompatibility]:
    """Who answers queries now, or did before, and may not search entries of the target."""
    problems = []
    asking = {named[alias]: alias for alias in ("previous", "canary", "live") if alias in named}
    for name, alias in asking.items():
        problem = None if name == target else incompatibility(connection, name, target)
        if problem is not None:
            said = f"The {alias} version could no longer search what is moved: {problem}"
            problems.append(replace(problem, sentence=said))
    return problems


def unmeasured(connection: Connection, target: str, sources: Sequence[str]) -> list[Incompatibility]:
    """Which mapped entries the target was not measured to find as well as the older version did."""
    found = (incompatibility(connection, target, name) for name in sources)
    return [problem for problem in found if problem is not None]
