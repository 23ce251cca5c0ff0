"""Backfills: what was asked, who works on it, and what came of it.

What is still to be done is never written down: it is the entries that are still of an old version. So a
backfill goes on after any crash, and of `total` entries `done` were moved, some were written or deleted by
users meanwhile, and the rest is left.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, update

from holdfast.backfill.remaining import count_by_origin, still_old
from holdfast.backfill.rules import (
    Kind,
    Order,
    check_options,
    refuse_projection,
    require_adapters,
    unmeasured,
    unreachable,
)
from holdfast.base import ConfigError, ConflictError, DataError, IncompatibleError, NotFoundError
from holdfast.store import (
    Store,
    advance_counter,
    aliases,
    current_counter,
    explain_problems,
    find_named,
    find_version,
    lock_counter,
    metadata,
    reading,
    writing,
)

backfills, entries = metadata.tables["backfills"], metadata.tables["entries"]

Status = Literal["running", "paused", "done", "failed", "cancelled"]

CLAIM_SECONDS = 15.0
"""So long after it was last heard of, whoever works on a backfill counts as gone."""
_EXAMPLES = 5
_CHANGED = "changed"
_RUNNING = select(backfills.c.number).where(backfills.c.status == "running")


@dataclass(frozen=True)
class Backfill:
    """One backfill.

    Args:
        kind: `map` moves stored vectors by the adapter in force, `re-embed` embeds the images anew.
        sources: versions whose entries are moved (re-embedding takes those that were mapped from them to the
            target as well); target: the version that they become entries of.
        order: what comes first, see `holdfast.backfill.plan`.
        until: entries written after this number are not its business.
        total, done: entries that there were at the beginning, and how many of them were moved.
        skipped: how many were not, by reason; `changed` are those that a user wrote or deleted meanwhile.
        examples: some of those that could not be moved, and why.
        batch_size: entries in a transaction at most; pace: entries a second at most, None for as fast as it
            goes.
        workers: of a re-embedding, Ray Data's actors; 0 embeds in the process that runs it.
        epoch: number of its claim; owner and seen_at tell who works on it, and when that was heard of last.
        forced: entries may have become unreachable for a version that answers queries.
    """

    number: int
    kind: Kind
    sources: list[str]
    target: str
    order: Order
    status: Status
    until: int
    total: int
    batch_size: int
    pace: float | None
    workers: int
    forced: bool
    created_at: datetime
    done: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    epoch: int = 0
    owner: str | None = None
    seen_at: datetime | None = None
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def name(self) -> str:
        return f"b{self.number}"

    @property
    def left(self) -> int:
        """Entries that are neither moved nor skipped yet."""
        return max(0, self.total - self.done - sum(self.skipped.values()))

    def as_dict(self) -> dict[str, Any]:
        """For a program: what HTTP answers, and `--json` prints."""
        return {
            "id": self.name,
            "kind": self.kind,
            "sources": self.sources,
            "target": self.target,
            "order": self.order,
            "status": self.status,
            "total": self.total,
            "done": self.done,
            "left": self.left,
            "skipped": self.skipped,
            "examples": self.examples,
            "batch_size": self.batch_size,
            "pace": self.pace,
            "workers": self.workers,
            "forced": self.forced,
            "owner": self.owner,
            "error": self.error,
            "created_at": _text(self.created_at),
            "started_at": _text(self.started_at),
            "finished_at": _text(self.finished_at),
        }

    def is_attended(self, now: datetime) -> bool:
        """Whether somebody who is alive works on it."""
        return (
            self.owner is not None
            and self.seen_at is not None
            and (now - self.seen_at < timedelta(seconds=CLAIM_SECONDS))
        )


@dataclass(frozen=True)
class Claim:
    """The right to work on a backfill, until it stops running or somebody takes the next epoch."""

    number: int
    epoch: int

    @property
    def name(self) -> str:
        return f"b{self.number}"

    def holds(self, connection: Connection) -> bool:
        """Whether the backfill runs and this claim is the newest; keeps it so until the transaction ends."""
        return connection.execute(_RUNNING.where(_of(self)).with_for_update()).first() is not None

    def count(self, connection: Connection, moved: int, left: int) -> None:
        """Count a batch in the transaction that moves it; `left` are entries that users have changed."""
        values: dict[str, Any] = {"done": backfills.c.done + moved, "seen_at": datetime.now(UTC)}
        if left:
            skipped = connection.execute(select(backfills.c.skipped).where(_of(self))).scalar_one()
            values["skipped"] = {**skipped, _CHANGED: skipped.get(_CHANGED, 0) + left}
        _set(connection, _of(self), **values)


class Backfills:
    """The backfills of a store."""

    def __init__(self, store: Store) -> None:
        self._engine = store.engine

    def create(
        self,
        target: str,
        kind: Kind = "map",
        sources: Sequence[str] | None = None,
        *,
        order: Order = "gain",
        batch_size: int = 256,
        pace: float | None = None,
        workers: int = 0,
        force: bool = False,
    ) -> Backfill:
        """Record a new backfill; whoever claims it does the work.

        Args:
            target: name or alias. sources: names; by default all other versions that have entries.
            force: although a version that answers queries, or answered them last, may not search entries of
                `target`, or the mapped entries were not measured; recorded when it did.

        Raises:
            NotFoundError: an unknown version.
            DataError: there is nothing to move.
            IncompatibleError: no adapter leads to the target (`map`), or what `force` overrides.
            ConflictError: another backfill is moving some of these entries.
            ConfigError: an impossible option.
        """
        check_options(kind, order, batch_size, pace, workers)
        with writing(self._engine) as connection:
            number = advance_counter(connection, "backfills")
            named = aliases(connection)
            goal = find_named(connection, target)
            refuse_projection(goal)
            found = count_by_origin(connection, kind, goal.name)
            if sources is None:
                sources = [name for name in found if name != goal.name]
            wanted = [find_version(connection, name).name for name in dict.fromkeys(sources)]
            if goal.name in wanted:
                raise ConfigError(f"{goal.name} is the target: entries that it embedded need no backfill.")
            if not any(found.get(name) for name in wanted):
                whose = f"of {', '.join(wanted)}" if wanted else f"of versions other than {goal.name}"
                raise DataError(f"There is nothing to backfill: the gallery holds no entry {whose}.")
            wanted = [name for name in wanted if found.get(name)]
            _refuse_overlap(connection, wanted)
            if kind == "map":
                require_adapters(connection, goal.name, wanted)
            problems = unreachable(connection, goal.name, named)
            if kind == "map":
                problems += unmeasured(connection, goal.name, wanted)
            if problems and not force:
                raise IncompatibleError(explain_problems(problems))
            made = Backfill(
                number=number,
                kind=kind,
                sources=wanted,
                target=goal.name,
                order=order,
                status="running",
                until=current_counter(connection, "entries"),
                total=sum(found[name] for name in wanted),
                batch_size=batch_size,
                pace=pace,
                workers=workers,
                forced=bool(problems),
                created_at=datetime.now(UTC),
            )
            connection.execute(insert(backfills).values(asdict(made)))
            return made

    def get(self, name: str) -> Backfill:
        """A backfill by its name (`b1`). Raises NotFoundError."""
        with reading(self._engine) as connection:
            return _find(connection, name)

    def pause(self, name: str) -> Backfill:
        """No entry is moved any more once this returns. Raises NotFoundError, ConflictError if it is over."""
        return self._move(name, "paused", ("running", "paused"))

    def resume(self, name: str) -> Backfill:
        """Let it go on; one that failed tries again. Raises NotFoundError, ConflictError if it is over."""
        return self._move(name, "running", ("running", "paused", "failed"))

    def cancel(self, name: str) -> Backfill:
        """End it; entries that were moved stay moved. Raises NotFoundError, ConflictError if it is over."""
        return self._move(name, "cancelled", ("running", "paused", "failed", "cancelled"))

    def unattended(self) -> list[Backfill]:
        """Those that run and that nobody works on, oldest first."""
        now = datetime.now(UTC)
        return [each for each in self.list() if each.status == "running" and not each.is_attended(now)]

    def claim(self, name: str, owner: str) -> Claim:
        """Work on it from now on, in place of whoever did. Raises NotFoundError, ConflictError if it does
        not run.

        What could not be moved before is counted anew, as it is tried again.
        """
        with writing(self._engine) as connection:
            lock_counter(connection, "backfills")
            found = _find(connection, name)
            if found.status != "running":
                raise ConflictError(f"{name} is {found.status}: resume it first.")
            now = datetime.now(UTC)
            _set(
                connection,
                backfills.c.number == found.number,
                epoch=found.epoch + 1,
                owner=owner,
                seen_at=now,
                started_at=found.started_at or now,
                skipped=_changed(connection, found),
                examples=[],
                error=None,
            )
            return Claim(found.number, found.epoch + 1)

    def holds(self, claim: Claim) -> bool:
        """Whether the backfill still runs under this claim."""
        with reading(self._engine) as connection:
            return connection.execute(_RUNNING.where(_of(claim))).first() is not None

    def heartbeat(self, claim: Claim) -> bool:
        """`holds`, and tells that its holder is alive."""
        with writing(self._engine) as connection:
            held = claim.holds(connection)
            if held:
                _set(connection, _of(claim), seen_at=datetime.now(UTC))
            return held

    def skip(self, claim: Claim, reasons: Sequence[tuple[str, str]]) -> None:
        """Count entries that cannot be moved: pairs (id, reason)."""
        if not reasons:
            return
        with writing(self._engine) as connection:
            if not claim.holds(connection):
                return
            found = _find(connection, claim.name)
            skipped = dict(found.skipped)
            for _, reason in reasons:
                skipped[reason] = skipped.get(reason, 0) + 1
            shown = [*found.examples, *(f"{identifier}: {reason}" for identifier, reason in reasons)]
            _set(connection, _of(claim), skipped=skipped, examples=shown[:_EXAMPLES])

    def finish(self, claim: Claim, error: str | None = None) -> None:
        """The work is done, or failed with this sentence; nothing happens if the claim no longer holds."""
        with writing(self._engine) as connection:
            if claim.holds(connection):
                found = _find(connection, claim.name)
                _set(
                    connection,
                    _of(claim),
                    status="done" if error is None else "failed",
                    skipped=found.skipped | _changed(connection, found),
                    error=error,
                    owner=None,
                    finished_at=datetime.now(UTC),
                )

    def release(self, claim: Claim) -> None:
        """Leave the work to somebody else, at once."""
        with writing(self._engine) as connection:
            _set(connection, _of(claim), owner=None)

    def list(self) -> list[Backfill]:
        """All of them, oldest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(backfills).order_by(backfills.c.number))
            return [_record(row) for row in rows]

    def _move(self, name: str, status: Status, allowed: tuple[Status, ...]) -> Backfill:
        with writing(self._engine) as connection:
            lock_counter(connection, "backfills")
            found = _find(connection, name)
            if found.status not in allowed:
                raise ConflictError(f"{name} is {found.status}, and so cannot be {_DONE_TO[status]}.")
            if found.status != status:
                changes: dict[str, Any] = {"status": status}
                if status != "running":
                    # Whoever is at work has lost it, even if it is resumed before they look.
                    changes |= {"owner": None, "epoch": found.epoch + 1}
                changes["finished_at"] = datetime.now(UTC) if status == "cancelled" else None
                _set(connection, backfills.c.number == found.number, **changes)
            return _find(connection, name)


_DONE_TO: dict[Status, str] = {"paused": "paused", "running": "resumed", "cancelled": "cancelled"}


def _changed(connection: Connection, found: Backfill) -> dict[str, int]:
    """How many entries users have taken out of its hands: what was neither moved nor is still there."""
    still_there = int(
        connection.execute(
            select(func.count()).where(still_old(found.kind, found.target, found.sources, found.until))
        ).scalar_one()
    )
    changed = found.total - found.done - still_there
    return {_CHANGED: changed} if changed > 0 else {}


def _refuse_overlap(connection: Connection, sources: Sequence[str]) -> None:
    active = connection.execute(select(backfills).where(backfills.c.status.in_(("running", "paused"))))
    for other in map(_record, active):
        shared = [name for name in sources if name in other.sources]
        if shared:
            raise ConflictError(
                f"{other.name} ({other.status}) is moving entries of {', '.join(shared)} to {other.target}: "
                "wait until it is done, or cancel it."
            )


def _of(claim: Claim) -> ColumnElement[bool]:
    return and_(backfills.c.number == claim.number, backfills.c.epoch == claim.epoch)


def _set(connection: Connection, where: ColumnElement[bool], **values: Any) -> None:
    connection.execute(update(backfills).where(where).values(**values))


def _find(connection: Connection, name: str) -> Backfill:
    number = int(name[1:]) if name[:1] == "b" and name[1:].isdecimal() and len(name) < 10 else -1
    row = connection.execute(select(backfills).where(backfills.c.number == number)).first()
    if row is None:
        known = connection.execute(select(backfills.c.number).order_by(backfills.c.number.desc()).limit(5))
        names = ", ".join(f"b{each}" for each in known.scalars())
        raise NotFoundError(f"There is no backfill {name!r}: {names or 'there were none yet'}.")
    return _record(row)


def _record(row: Any) -> Backfill:
    return Backfill(**row._mapping)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
