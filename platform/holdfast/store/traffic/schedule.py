"""Changes of the traffic that are to come: each is made once, at its moment, whoever makes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import Connection, Engine, insert, select, update

from holdfast.base import ConfigError, ConflictError, HoldfastError, NotFoundError, shown
from holdfast.store.database import lock_counter, reading, schedule, writing
from holdfast.store.traffic.changing import FIELDS, VERSIONS, change_record
from holdfast.store.traffic.gate import ShadowGate
from holdfast.store.traffic.record import current_record
from holdfast.store.versions import find_named

Status = Literal["waiting", "done", "failed", "missed", "stopped", "cancelled"]
"""`missed`: nothing ran that could have made it. `stopped`: one before it in its series was not made."""

LATE_SECONDS = 3600.0
_OPTIONS = ("force", "require")


@dataclass(frozen=True)
class Step:
    """A change and its moment.

    Args:
        changes: of the record, as `TrafficLog.change` takes them; `force` and `require` likewise.
        expect_canary: make it only while this version is the canary.
    """

    at: datetime
    changes: Mapping[str, Any]
    expect_canary: str | None = None


@dataclass(frozen=True)
class Scheduled:
    """A change that is to come, or what came of it.

    Attributes:
        at: its moment; steps of a series that wait move on with the one before them.
        series: the number of the first of those that belong together; None for one by itself.
        epoch: of the record that it made; error: why it made none.
    """

    number: int
    at: datetime
    changes: Mapping[str, Any]
    why: str
    made_by: str
    created_at: datetime
    status: Status = "waiting"
    series: int | None = None
    expect_canary: str | None = None
    finished_at: datetime | None = None
    epoch: int | None = None
    error: str | None = None

    @property
    def name(self) -> str:
        return f"s{self.number}"

    def as_dict(self) -> dict[str, Any]:
        """For a program: what HTTP answers, and `--json` prints."""
        return {
            "id": self.name,
            "at": self.at.isoformat(),
            "changes": dict(self.changes),
            "why": self.why,
            "made_by": self.made_by,
            "created_at": self.created_at.isoformat(),
            "status": self.status,
            "series": None if self.series is None else f"s{self.series}",
            "finished_at": None if self.finished_at is None else self.finished_at.isoformat(),
            "epoch": self.epoch,
            "error": self.error,
        }


@dataclass(frozen=True)
class _Outcome:
    status: Status
    epoch: int | None = None
    error: str | None = None


def ramp(
    at: datetime,
    canary: str,
    shares: Sequence[float],
    every_seconds: float,
    changes: Mapping[str, Any] = MappingProxyType({}),
) -> list[Step]:
    """A canary that grows, a step for each share; the steps after the first need it to be the canary still.

    `changes`: what each step changes, or requires, besides.
    """
    steps = []
    for position, share in enumerate(shares):
        step = {**changes, "canary_version": canary, "canary_share": share}
        moment = at + timedelta(seconds=every_seconds * position)
        steps.append(Step(moment, step, canary if position else None))
    return steps


class Schedules:
    """The scheduled changes of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> list[Scheduled]:
        """All of them, by their moments."""
        with reading(self._engine) as connection:
            return _found(connection)

    def add(self, steps: Sequence[Step], *, why: str = "", made_by: str = "") -> list[Scheduled]:
        """Schedule changes; several are a series, which ends with the first one that is not made.

        Whether versions may meet is seen at the moment of a change, and not now.

        Raises ConfigError for a moment that is past or without a zone, and for changes that are none;
        NotFoundError for an unknown version.
        """
        now = datetime.now(UTC)
        with writing(self._engine) as connection:
            rows = [_row(connection, step, now) | {"why": why, "made_by": made_by} for step in steps]
            numbers: list[int] = []
            for row in rows:
                series = (numbers[0] if numbers else None) if len(rows) > 1 else None
                result = connection.execute(insert(schedule).values(**row, series=series))
                numbers.append(int(result.inserted_primary_key[0]))  # type: ignore[index]
            if len(rows) > 1:
                connection.execute(
                    update(schedule).where(schedule.c.number == numbers[0]).values(series=numbers[0])
                )
            return [each for each in _found(connection) if each.number in numbers]

    def cancel(self, name: str) -> Scheduled:
        """Take back a change that waits, and those after it in its series.

        Raises NotFoundError for one that there is not, ConflictError for one that waits no more.
        """
        with writing(self._engine) as connection:
            # Whoever makes changes holds it meanwhile.
            lock_counter(connection, "traffic")
            found = {each.name: each for each in _found(connection)}
            if name not in found:
                waiting = ", ".join(each.name for each in found.values() if each.status == "waiting")
                raise NotFoundError(
                    f"There is no scheduled change {shown(name)}; {waiting or 'none'} waits for its moment."
                )
            if (chosen := found[name]).status != "waiting":
                raise ConflictError(f"{name} is {chosen.status}: it waits no more.")
            _finish(connection, chosen, _Outcome("cancelled"))
            return next(each for each in _found(connection) if each.number == chosen.number)

    def make_due(
        self, check: Callable[[str], None] = lambda name: None, late_seconds: float = LATE_SECONDS
    ) -> list[Scheduled]:
        """Make the changes whose moment has come; returns those that are settled now.

        A change and that it was made are one transaction: any number of processes may call this.

        Args:
            check: raises for a version that cannot answer queries; called before it would.
            late_seconds: one whose moment is longer ago is `missed`.
        """
        settled = []
        while (due := self._next()) is not None:
            refusal = _refusal(due, check)
            with writing(self._engine) as connection:
                lock_counter(connection, "traffic")
                again = next((each for each in _found(connection) if each.number == due.number), None)
                if again is None or again.status != "waiting" or again.at > datetime.now(UTC):
                    continue  # somebody else was here
                _finish(connection, due, _make(connection, due, refusal, late_seconds))
                settled += [each for each in _found(connection) if each.number == due.number]
        return settled

    def _next(self) -> Scheduled | None:
        now = datetime.now(UTC)
        waiting = (schedule.c.status == "waiting") & (schedule.c.at <= now)
        with reading(self._engine) as connection:
            row = connection.execute(
                select(schedule).where(waiting).order_by(schedule.c.at, schedule.c.number).limit(1)
            ).first()
        return None if row is None else Scheduled(**row._mapping)


def _found(connection: Connection) -> list[Scheduled]:
    rows = connection.execute(select(schedule).order_by(schedule.c.at, schedule.c.number))
    return [Scheduled(**row._mapping) for row in rows]


def _row(connection: Connection, step: Step, now: datetime) -> dict[str, Any]:
    if step.at.tzinfo is None:
        raise ConfigError(f"The moment {step.at.isoformat()} has no zone: write it with one, as +01:00 or Z.")
    if step.at < now - timedelta(seconds=60):
        raise ConfigError(f"The moment {step.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC is past.")
    unknown = [name for name in step.changes if name not in (*FIELDS, *_OPTIONS)]
    if unknown or not any(name in FIELDS for name in step.changes):
        raise ConfigError(
            f"A scheduled change names {', '.join(unknown) or 'nothing to change'}: it may name "
            f"{', '.join(FIELDS)}."
        )
    changes = dict(step.changes)
    for version in VERSIONS:
        if changes.get(version) is not None:
            changes[version] = find_named(connection, changes[version]).name
    return {
        "at": step.at,
        "changes": changes,
        "created_at": now,
        "status": "waiting",
        "expect_canary": step.expect_canary and find_named(connection, step.expect_canary).name,
    }


def _refusal(due: Scheduled, check: Callable[[str], None]) -> HoldfastError | None:
    try:
        for field_name in ("query_version", "canary_version"):
            if (name := due.changes.get(field_name)) is not None:
                check(name)
    except HoldfastError as error:
        return error
    return None


def _make(
    connection: Connection, due: Scheduled, refusal: HoldfastError | None, late_seconds: float
) -> _Outcome:
    late = (datetime.now(UTC) - due.at).total_seconds()
    if late > late_seconds:
        return _Outcome(
            "missed",
            error=f"Nothing ran that could have made it at its moment, which is {late / 3600:.1f} hours ago; "
            f"it is not made later than {late_seconds / 3600:g} hours after it.",
        )
    current = current_record(connection)
    if due.expect_canary is not None and current.canary_version != due.expect_canary:
        by = f"epoch {current.epoch} by {current.made_by or 'somebody'}: {current.note}"
        return _Outcome("failed", error=f"{due.expect_canary} is not the canary any more ({by}).")
    if refusal is not None:
        return _Outcome("failed", error=str(refusal))
    changes = {name: value for name, value in due.changes.items() if name in FIELDS}
    gate = due.changes.get("require")
    try:
        record = change_record(
            connection,
            current,
            changes,
            force=bool(due.changes.get("force", False)),
            require=None if gate is None else ShadowGate.model_validate(gate),
            note=f"{due.name}: {due.why}" if due.why else f"as scheduled in {due.name}",
            made_by=due.made_by,
        )
    except HoldfastError as error:
        return _Outcome("failed", error=str(error))
    return _Outcome("done", record.epoch)


def _finish(connection: Connection, item: Scheduled, outcome: _Outcome) -> None:
    now = datetime.now(UTC)
    connection.execute(
        update(schedule)
        .where(schedule.c.number == item.number)
        .values(status=outcome.status, epoch=outcome.epoch, error=outcome.error, finished_at=now)
    )
    if item.series is None:
        return
    after = [
        each
        for each in _found(connection)
        if each.series == item.series and each.number > item.number and each.status == "waiting"
    ]
    for each in after:
        if outcome.status == "done":
            # Late by so much: those after it keep their distance.
            values: dict[str, Any] = {"at": each.at + max(timedelta(0), now - item.at)}
        else:
            error = f"{item.name}, before it, is {outcome.status}."
            ended = "cancelled" if outcome.status == "cancelled" else "stopped"
            values = {"status": ended, "error": error, "finished_at": now}
        connection.execute(update(schedule).where(schedule.c.number == each.number).values(**values))
