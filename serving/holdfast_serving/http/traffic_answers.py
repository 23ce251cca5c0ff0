"""What the routes of the traffic answer, for the OpenAPI document alone: see `answers`."""

from typing import Any, Literal

from pydantic import BaseModel


class TrafficRecord(BaseModel):
    """How queries and new entries were answered from `created_at` on; `made_by` says who wanted it so, and
    `note` why."""

    epoch: int
    query_version: str | None
    write_version: str | None
    canary_version: str | None
    canary_share: float
    canary_keys: list[str]
    shadow_version: str | None
    shadow_share: float
    forced: bool
    note: str
    made_by: str
    created_at: str | None


class TrafficAnswer(TrafficRecord):
    """The traffic record in force; this replica follows it from `applied_epoch` = `epoch` on."""

    applied_epoch: int


class IntervalFigure(BaseModel):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class LatencyFigures(BaseModel):
    """Seconds from a query's image or text to its hits."""

    p50: float
    p95: float
    p99: float


class ShadowAnswer(BaseModel):
    """What the shadow is worth beside the live version, over all replicas since `since`; null is not known.

    `queries`: that both answered. `overlap`: mean share of the first ten hits that both have. `judged`:
    queries of which relevant entries are known; `negative_flips`: in which share of them the live version
    alone put one first, `positive_flips`: in which the shadow alone. `errors`: share of the queries that the
    shadow did not answer; `failed` counts them, by their code in `failed_by_code`. `latency_ratio`: geometric
    mean of the shadow's latency by the live version's. `dropped`: too many waited; `not_comparable`: searches
    by vectors, by entries whose image cannot be read, with a threshold or by groups.
    """

    live: str | None
    shadow: str | None
    share: float
    since: str | None
    epoch: int | None
    queries: int
    overlap: IntervalFigure | None
    judged: int
    negative_flips: IntervalFigure | None
    positive_flips: IntervalFigure | None
    errors: IntervalFigure | None
    failed: int
    failed_by_code: dict[str, int]
    last_error: str | None
    live_seconds: LatencyFigures | None
    shadow_seconds: LatencyFigures | None
    latency_ratio: IntervalFigure | None
    dropped: int
    not_comparable: int


class ScheduledChange(BaseModel):
    """A change of the traffic that is to come, or what came of it.

    `status`: waiting, done, failed (`error` says why), missed (nothing ran that could have made it), stopped
    (one before it in its series was not made), cancelled. `series`: the id of the first of those that belong
    together. `epoch`: of the record that it made.
    """

    id: str
    at: str
    changes: dict[str, Any]
    why: str
    made_by: str
    created_at: str
    status: Literal["waiting", "done", "failed", "missed", "stopped", "cancelled"]
    series: str | None
    finished_at: str | None
    epoch: int | None
    error: str | None


class ScheduleAnswer(BaseModel):
    """Scheduled changes, by their moments."""

    scheduled: list[ScheduledChange]


class HistoryAnswer(BaseModel):
    """The newest of `total` records, newest first."""

    total: int
    records: list[TrafficRecord]
