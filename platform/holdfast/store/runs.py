"""Runs: which experiment a name stands for, and which version it started from.

A run's parent is recorded when it begins, so an interrupted run goes on in its own lineage whatever was
published meanwhile.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, insert, select, update

from holdfast.base import ConflictError, NotFoundError
from holdfast.store.database import lock_counter, reading, runs, writing
from holdfast.store.versions import find_version

Status = Literal["running", "finished"]


@dataclass(frozen=True)
class Run:
    """The newest attempt of a run. Attempts count from 1."""

    name: str
    attempt: int
    parent: str | None
    status: Status
    experiment_hash: str
    started_at: datetime
    finished_at: datetime | None


class Runs:
    """The runs of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, name: str, experiment_hash: str, parent: str | None) -> Run:
        """Begin a run, or go on with it: then the recorded parent holds, not the one given.

        Raises ConflictError if the name stands for another experiment, NotFoundError for an unknown parent.
        """
        with writing(self._engine) as connection:
            lock_counter(connection, "runs")
            run = _newest(connection, name)
            if run is None:
                return _add(connection, name, 1, experiment_hash, parent)
        if run.experiment_hash != experiment_hash:
            raise ConflictError(
                f"Run {name!r} was made from another experiment: give this one another name, "
                "or start it afresh with --fresh."
            )
        return run

    def get(self, name: str) -> Run:
        """The newest attempt. Raises NotFoundError."""
        with reading(self._engine) as connection:
            return _found(connection, name)

    def list(self) -> list[Run]:
        """The newest attempt of every run, in the order in which they started."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(runs).order_by(runs.c.started_at, runs.c.attempt))
            newest = {row.name: _run(row) for row in rows}
        return list(newest.values())

    def finish(self, name: str) -> Run:
        """Mark the newest attempt as finished; again is no error. Raises NotFoundError."""
        with writing(self._engine) as connection:
            lock_counter(connection, "runs")
            run = _found(connection, name)
            if run.status != "finished":
                connection.execute(
                    update(runs)
                    .where(runs.c.name == name, runs.c.attempt == run.attempt)
                    .values(status="finished", finished_at=datetime.now(UTC))
                )
            return _found(connection, name)

    def restart(
        self, name: str, experiment_hash: str | None = None, parent: str | Literal["same"] | None = "same"
    ) -> Run:
        """A new attempt from the same parent, of the same experiment unless others are given.

        What earlier attempts published stays. Raises NotFoundError.
        """
        with writing(self._engine) as connection:
            lock_counter(connection, "runs")
            run = _found(connection, name)
            parent = run.parent if parent == "same" else parent
            return _add(connection, name, run.attempt + 1, experiment_hash or run.experiment_hash, parent)


def _add(connection: Connection, name: str, attempt: int, experiment_hash: str, parent: str | None) -> Run:
    if parent is not None:
        find_version(connection, parent)
    connection.execute(
        insert(runs).values(
            name=name,
            attempt=attempt,
            parent=parent,
            experiment_hash=experiment_hash,
            status="running",
            started_at=datetime.now(UTC),
        )
    )
    return _found(connection, name)


def _newest(connection: Connection, name: str) -> Run | None:
    row = connection.execute(
        select(runs).where(runs.c.name == name).order_by(runs.c.attempt.desc()).limit(1)
    ).first()
    return None if row is None else _run(row)


def _found(connection: Connection, name: str) -> Run:
    run = _newest(connection, name)
    if run is None:
        names = connection.execute(select(runs.c.name).distinct().order_by(runs.c.name)).scalars().all()
        raise NotFoundError(
            f"There is no run {name!r}: the store holds {', '.join(names[:12]) or 'no runs yet'}."
        )
    return run


def _run(row: Any) -> Run:
    return Run(**row._mapping)
