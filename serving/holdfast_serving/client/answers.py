"""What the server answers. Made by `python -m serving.generating`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """What a server answered; a newer one may say more."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


class AliveAnswer(Answer):
    """The process answers."""

    alive: bool


class BackfillAnswer(Answer):
    """A backfill and how far it is."""

    id: str
    kind: str
    sources: list[str]
    target: str
    order: str
    status: str
    total: int
    done: int
    left: int
    skipped: dict[str, int]
    examples: list[str]
    batch_size: int
    pace: float | None
    workers: int
    forced: bool
    owner: str | None
    error: str | None
    created_at: str | None
    started_at: str | None
    finished_at: str | None


class BackfillsAnswer(Answer):
    """All backfills, oldest first."""

    backfills: list[BackfillAnswer]


class CascadeCounts(Answer):
    """What became of the entries that were to be ranked by their images. `kept`: vectors on their way to the
    gallery, where these entries become the query version's.
    """

    recalled: int
    own: int
    cached: int
    embedded: int
    unreachable: int
    over_budget: int
    kept: int


class PairAnswer(Answer):
    """Queries by `query` over entries of `gallery`. `searches`: whether such entries are searched now;
    `promotes`: whether the version may be promoted in the face of them. `why` not, what to do (`remedy`),
    and the next `command` to type. The figures are null where nothing was measured; `low` and `high` are
    the 95 % interval of `value` - `reference`.
    """

    query: str
    gallery: str
    verdict: Literal["self", "exact", "compatible", "undecided", "incompatible", "unmeasured"] | str
    way: Literal["as_they_are", "exact", "adapter", "cascade"] | str | None
    searches: bool
    promotes: bool
    why: str | None
    remedy: str | None
    command: str | None
    metric: str | None
    value: float | None
    reference: float | None
    low: float | None
    high: float | None
    candidates: int
    truth: Literal["labels", "pairs", "views", "agreement"] | str | None
    provisional: bool
    measured_at: str | None


class CompatibilityAnswer(Answer):
    """Every ordered pair of `versions`, which are named oldest first."""

    versions: list[str]
    pairs: list[PairAnswer]


class CountAnswer(Answer):
    """How many entries there are."""

    count: int


class CutAnswer(Answer):
    """Vectors of a version cut to their first `dimensions` numbers: Recall@1 in percent, beside that of the
    `whole` ones, and the 95 % interval of the difference, on the data of this fingerprint.
    """

    dimensions: int
    recall_at_1: float
    whole: float
    low: float
    high: float
    evaluation: str


class DeletedAnswer(Answer):
    """`seq` is the number of the write."""

    seq: int
    deleted: str


class DeletedManyAnswer(Answer):
    """`seq` is the number of the last write, `count` how many entries went, or would with `dry_run`. Of a
    deletion by ids, `deleted` names them, and `missing` the ids that no entry had. `more`: a deletion by
    a filter ended before its end, and is to be asked for again.
    """

    seq: int
    count: int
    deleted: list[str]
    missing: list[str]
    more: bool


class EmbeddingRow(Answer):
    """One vector; as base64 it is float32, little endian. In int8, uint8, binary and ubinary it is of whole
    numbers.
    """

    object: Literal["embedding"] | str
    index: int
    embedding: list[float] | str


class Usage(Answer):
    """Images cost no tokens."""

    prompt_tokens: int
    total_tokens: int


class Failure(Answer):
    """One item that was left out: where it stood in the request, and why."""

    index: int
    code: str
    message: str


class EmbeddingsAnswer(Answer):
    """The vectors of what was given, in its order; `model` made them. `cut`: what it costs that they are
    cut, where they are. `errors`: what was left out, where the request wanted it so and something was.
    """

    object: Literal["list"] | str
    model: str
    data: list[EmbeddingRow]
    usage: Usage
    cut: CutAnswer | None = None
    errors: list[Failure] | None = None


class EntryAnswer(Answer):
    """One entry as it is in the database; `vector` if it was asked for."""

    id: str
    embedded_by: str
    attributes: dict[str, str | int | float | bool | list[str | int | float | bool] | None]
    source: str | None
    seq: int
    mapped_from: str | None
    mapped_by: str | None
    vector: list[float] = []


class Fault(Answer):
    """What was wrong."""

    type: str
    code: str
    message: str
    request_id: str


class ErrorAnswer(Answer):
    """The one shape of all errors."""

    error: Fault


class FoundGroup(Answer):
    """The hits that have one value of the attribute, best first."""

    value: str | int | float | bool
    ids: list[str]


class FoundHit(Answer):
    """One entry of a ranking."""

    id: str
    score: float
    calibrated: float
    embedded_by: str
    ranked_by: Literal["own", "as_they_are", "exact", "adapter"] | str
    attributes: dict[str, str | int | float | bool | list[str | int | float | bool] | None]


class IndexState(Answer):
    """What the gallery is searched with."""

    kind: str
    bytes: int
    threads: int


class GalleryAnswer(Answer):
    """Entries by version; searches see the writes up to `seq` of `last_seq`."""

    entries: dict[str, int]
    total: int
    seq: int
    last_seq: int
    index: IndexState


class TrafficRecord(Answer):
    """How queries and new entries were answered from `created_at` on; `made_by` says who wanted it so, and
    `note` why.
    """

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


class HistoryAnswer(Answer):
    """The newest of `total` records, newest first."""

    total: int
    records: list[TrafficRecord]


class IntervalFigure(Answer):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class KeyAnswer(Answer):
    """The key that asks: by what name the traffic's history and the log know it, and what it may."""

    name: str
    role: Literal["read", "write", "admin"] | str
    expires_at: str | None


class LatencyFigures(Answer):
    """Seconds from a query's image or text to its hits."""

    p50: float
    p95: float
    p99: float


class LookupAnswer(Answer):
    """The entries that there are, and the ids that no entry has."""

    entries: list[EntryAnswer]
    missing: list[str]


class Measurement(Answer):
    """How well another version's entries are searched, or this one's by another."""

    version: str
    metric: str
    value: float
    reference: float
    low: float
    high: float
    compatible: bool
    decided: bool
    way: Literal["as_they_are", "exact", "adapter", "cascade"] | str
    candidates: int
    truth: Literal["labels", "pairs", "views", "agreement"] | str
    provisional: bool
    measured_at: str


class ModelAnswer(Answer):
    """A published version, whole."""

    id: str
    object: Literal["model"] | str
    created: int
    owned_by: str
    aliases: list[str]
    contract: str
    dimension: int
    cuts: list[CutAnswer]
    parent: str | None
    kind: str
    base: str | None
    takes: list[str]
    run: str
    task: int
    fault: str | None
    searches: list[Measurement]
    searched_by: list[Measurement]
    lineage: list[str]
    contract_body: dict[str, Any]
    data_fingerprint: str
    metrics: dict[str, Any]
    experiment: str


class ModelSummary(Answer):
    """A published version. `cuts`: the fewer `dimensions` of which `/v1/embeddings` answers vectors, and
    what these find. `takes`: what it embeds, image and text. `base`: of a projection the version whose
    vectors it maps, and whose entries it finds as they are. `fault`: why it answers nothing here, if its
    model is not what was published.
    """

    id: str
    object: Literal["model"] | str
    created: int
    owned_by: str
    aliases: list[str]
    contract: str
    dimension: int
    cuts: list[CutAnswer]
    parent: str | None
    kind: str
    base: str | None
    takes: list[str]
    run: str
    task: int
    fault: str | None
    searches: list[Measurement]
    searched_by: list[Measurement]


class ModelsAnswer(Answer):
    """All versions, oldest first."""

    object: Literal["list"] | str
    data: list[ModelSummary]


class PageAnswer(Answer):
    """Entries in the order of their ids; `next` is the `after` of the next page, null for no more."""

    entries: list[EntryAnswer]
    next: str | None


class ReadyAnswer(Answer):
    """Whether a version is live and the index has caught up; if not, why. `away`: what the server goes on
    without. `faults`: by version, the code of the error with which it is refused here.
    """

    ready: bool
    reason: str | None
    seq: int
    away: list[Literal["database", "writer"] | str]
    faults: dict[str, str]


class RetiredAnswer(Answer):
    """A version that is out of use from now on; in OpenAI's shape of a deleted model."""

    id: str
    object: Literal["model"] | str
    deleted: Literal[True] | str
    retired_at: str


class ScheduledChange(Answer):
    """A change of the traffic that is to come, or what came of it.

    `status`: waiting, done, failed (`error` says why), missed (nothing ran that could have made it),
    stopped (one before it in its series was not made), cancelled. `series`: the id of the first of those
    that belong together. `epoch`: of the record that it made.
    """

    id: str
    at: str
    changes: dict[str, Any]
    why: str
    made_by: str
    created_at: str
    status: Literal["waiting", "done", "failed", "missed", "stopped", "cancelled"] | str
    series: str | None
    finished_at: str | None
    epoch: int | None
    error: str | None


class ScheduleAnswer(Answer):
    """Scheduled changes, by their moments."""

    scheduled: list[ScheduledChange]


class SearchAnswer(Answer):
    """The nearest entries, best first, and what was searched for them; with `group_by` the groups of the
    hits, in the order of their best ones.
    """

    hits: list[FoundHit]
    query_version: str
    versions: list[str]
    adapted: list[str]
    exact: list[str]
    excluded: dict[str, int]
    cascade: CascadeCounts | None
    seq: int
    groups: list[FoundGroup] | None = None


class SearchesAnswer(Answer):
    """The answers to many queries, in their order. Where one failed and was to be skipped, its place holds
    null, and `errors` says why.
    """

    results: list[SearchAnswer | None]
    errors: list[Failure] | None = None


class ShadowAnswer(Answer):
    """What the shadow is worth beside the live version, over all replicas since `since`; null is not known.

    `queries`: that both answered. `overlap`: mean share of the first ten hits that both have. `judged`:
    queries of which relevant entries are known; `negative_flips`: in which share of them the live version
    alone put one first, `positive_flips`: in which the shadow alone. `errors`: share of the queries that
    the shadow did not answer; `failed` counts them, by their code in `failed_by_code`. `latency_ratio`:
    geometric mean of the shadow's latency by the live version's. `dropped`: too many waited;
    `not_comparable`: searches by vectors, by entries whose image cannot be read, with a threshold or by
    groups.
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


class TrafficAnswer(Answer):
    """The traffic record in force; this replica follows it from `applied_epoch` = `epoch` on."""

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
    applied_epoch: int


class VerifiedAnswer(Answer):
    """`problems` names the first 100 of `problem_count`; `seq` is the last write that the index holds."""

    ok: bool
    index: str
    seq: int
    problem_count: int
    problems: list[str]


class WrittenAnswer(Answer):
    """`seq` is the number of the last write, `upserted` how many entries it left.

    `repeated`, where there are any: ids that were in the request more than once, and how often; the last
    one counts. `null_attributes` likewise: by key, how often one was null, which is as if it were not
    there. `errors`: what was not written, where the request wanted it so and something was not.
    """

    seq: int
    upserted: int
    repeated: dict[str, int] | None = None
    null_attributes: dict[str, int] | None = None
    errors: list[Failure] | None = None
