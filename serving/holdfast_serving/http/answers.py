"""What the routes answer, for the OpenAPI document alone: the routes write plain dictionaries."""

from typing import Any, Literal

from pydantic import BaseModel

from holdfast.search import RankedBy, Verdict
from holdfast.store import Role, Truth, Way
from holdfast_serving.http.api import Attributes, Scalar, Vector


class Fault(BaseModel):
    """What was wrong."""

    type: str
    code: str
    message: str
    request_id: str


class ErrorAnswer(BaseModel):
    """The one shape of all errors."""

    error: Fault


class Failure(BaseModel):
    """One item that was left out: where it stood in the request, and why."""

    index: int
    code: str
    message: str


class EmbeddingRow(BaseModel):
    """One vector; as base64 it is float32, little endian. In int8, uint8, binary and ubinary it is of whole
    numbers."""

    object: Literal["embedding"]
    index: int
    embedding: Vector | str


class Usage(BaseModel):
    """Images cost no tokens."""

    prompt_tokens: int
    total_tokens: int


class CutAnswer(BaseModel):
    """Vectors of a version cut to their first `dimensions` numbers: Recall@1 in percent, beside that of the
    `whole` ones, and the 95 % interval of the difference, on the data of this fingerprint."""

    dimensions: int
    recall_at_1: float
    whole: float
    low: float
    high: float
    evaluation: str


class EmbeddingsAnswer(BaseModel):
    """The vectors of what was given, in its order; `model` made them. `cut`: what it costs that they are cut,
    where they are. `errors`: what was left out, where the request wanted it so and something was."""

    object: Literal["list"]
    model: str
    data: list[EmbeddingRow]
    usage: Usage
    cut: CutAnswer | None = None
    errors: list[Failure] | None = None


class CohereEmbeddings(BaseModel):
    """By the types that were asked for; base64 is of float32, little endian."""

    float: list[Vector] | None = None
    int8: list[list[int]] | None = None
    uint8: list[list[int]] | None = None
    binary: list[list[int]] | None = None
    ubinary: list[list[int]] | None = None
    base64: list[str] | None = None


class CohereAnswer(BaseModel):
    """Cohere's answer; `X-Model-Version` says which version made the vectors."""

    id: str
    response_type: Literal["embeddings_by_type"]
    embeddings: CohereEmbeddings
    texts: list[str] | None = None
    meta: dict[str, Any]


class FoundHit(BaseModel):
    """One entry of a ranking."""

    id: str
    score: float
    calibrated: float
    embedded_by: str
    ranked_by: RankedBy
    attributes: Attributes


class CascadeCounts(BaseModel):
    """What became of the entries that were to be ranked by their images. `kept`: vectors on their way to the
    gallery, where these entries become the query version's."""

    recalled: int
    own: int
    cached: int
    embedded: int
    unreachable: int
    over_budget: int
    kept: int


class FoundGroup(BaseModel):
    """The hits that have one value of the attribute, best first."""

    value: Scalar
    ids: list[str]


class SearchAnswer(BaseModel):
    """The nearest entries, best first, and what was searched for them; with `group_by` the groups of the
    hits, in the order of their best ones."""

    hits: list[FoundHit]
    query_version: str
    versions: list[str]
    adapted: list[str]
    exact: list[str]
    excluded: dict[str, int]
    cascade: CascadeCounts | None
    seq: int
    groups: list[FoundGroup] | None = None


class SearchesAnswer(BaseModel):
    """The answers to many queries, in their order. Where one failed and was to be skipped, its place holds
    null, and `errors` says why."""

    results: list[SearchAnswer | None]
    errors: list[Failure] | None = None


class EntryAnswer(BaseModel):
    """One entry as it is in the database; `vector` if it was asked for."""

    id: str
    embedded_by: str
    attributes: Attributes
    source: str | None
    seq: int
    mapped_from: str | None
    mapped_by: str | None
    vector: Vector = []


class LookupAnswer(BaseModel):
    """The entries that there are, and the ids that no entry has."""

    entries: list[EntryAnswer]
    missing: list[str]


class VerifiedAnswer(BaseModel):
    """`problems` names the first 100 of `problem_count`; `seq` is the last write that the index holds."""

    ok: bool
    index: str
    seq: int
    problem_count: int
    problems: list[str]


class WrittenAnswer(BaseModel):
    """`seq` is the number of the last write, `upserted` how many entries it left.

    `repeated`, where there are any: ids that were in the request more than once, and how often; the last one
    counts. `null_attributes` likewise: by key, how often one was null, which is as if it were not there.
    `errors`: what was not written, where the request wanted it so and something was not.
    """

    seq: int
    upserted: int
    repeated: dict[str, int] | None = None
    null_attributes: dict[str, int] | None = None
    errors: list[Failure] | None = None


class DeletedAnswer(BaseModel):
    """`seq` is the number of the write."""

    seq: int
    deleted: str


class DeletedManyAnswer(BaseModel):
    """`seq` is the number of the last write, `count` how many entries went, or would with `dry_run`. Of a
    deletion by ids, `deleted` names them, and `missing` the ids that no entry had. `more`: a deletion by a
    filter ended before its end, and is to be asked for again."""

    seq: int
    count: int
    deleted: list[str]
    missing: list[str]
    more: bool


class PageAnswer(BaseModel):
    """Entries in the order of their ids; `next` is the `after` of the next page, null for no more."""

    entries: list[EntryAnswer]
    next: str | None


class CountAnswer(BaseModel):
    """How many entries there are."""

    count: int


class IndexState(BaseModel):
    """What the gallery is searched with."""

    kind: str
    bytes: int
    threads: int


class GalleryAnswer(BaseModel):
    """Entries by version; searches see the writes up to `seq` of `last_seq`."""

    entries: dict[str, int]
    total: int
    seq: int
    last_seq: int
    index: IndexState


class Measurement(BaseModel):
    """How well another version's entries are searched, or this one's by another."""

    version: str
    metric: str
    value: float
    reference: float
    low: float
    high: float
    compatible: bool
    decided: bool
    way: Way
    candidates: int
    truth: Truth
    provisional: bool
    measured_at: str


class ModelSummary(BaseModel):
    """A published version. `cuts`: the fewer `dimensions` of which `/v1/embeddings` answers vectors, and what
    these find. `takes`: what it embeds, image and text. `base`: of a projection the version whose
    vectors it maps, and whose entries it finds as they are. `fault`: why it answers nothing here, if
    its model is not what was published."""

    id: str
    object: Literal["model"]
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


class ModelAnswer(ModelSummary):
    """A published version, whole."""

    lineage: list[str]
    contract_body: dict[str, Any]
    data_fingerprint: str
    metrics: dict[str, Any]
    experiment: str


class RetiredAnswer(BaseModel):
    """A version that is out of use from now on; in OpenAI's shape of a deleted model."""

    id: str
    object: Literal["model"]
    deleted: Literal[True]
    retired_at: str


class ModelsAnswer(BaseModel):
    """All versions, oldest first."""

    object: Literal["list"]
    data: list[ModelSummary]


class PairAnswer(BaseModel):
    """Queries by `query` over entries of `gallery`. `searches`: whether such entries are searched now;
    `promotes`: whether the version may be promoted in the face of them. `why` not, what to do (`remedy`), and
    the next `command` to type. The figures are null where nothing was measured; `low` and `high` are the 95 %
    interval of `value` - `reference`."""

    query: str
    gallery: str
    verdict: Verdict
    way: Way | None
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
    truth: Truth | None
    provisional: bool
    measured_at: str | None


class CompatibilityAnswer(BaseModel):
    """Every ordered pair of `versions`, which are named oldest first."""

    versions: list[str]
    pairs: list[PairAnswer]


class KeyAnswer(BaseModel):
    """The key that asks: by what name the traffic's history and the log know it, and what it may."""

    name: str
    role: Role
    expires_at: str | None


class BackfillAnswer(BaseModel):
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


class BackfillsAnswer(BaseModel):
    """All backfills, oldest first."""

    backfills: list[BackfillAnswer]


class AliveAnswer(BaseModel):
    """The process answers."""

    alive: bool


class ReadyAnswer(BaseModel):
    """Whether a version is live and the index has caught up; if not, why. `away`: what the server goes on
    without. `faults`: by version, the code of the error with which it is refused here."""

    ready: bool
    reason: str | None
    seq: int
    away: list[Literal["database", "writer"]]
    faults: dict[str, str]
