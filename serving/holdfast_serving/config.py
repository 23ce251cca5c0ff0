"""What a server is told before it starts. Frozen, and sent whole to every replica."""

from typing import Literal, Self

from pydantic import Field, model_validator

from holdfast.backfill import CascadeConfig
from holdfast.base import Settings
from holdfast.index import AnyIndexConfig, IndexConfig

ALIASES = ("live", "canary", "shadow", "writing", "previous")
"""What a traffic record may name: these versions stay loaded."""


class Limits(Settings):
    """The largest request that is answered; everything beyond is refused with the limit named."""

    body_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    images: int = Field(default=64, ge=1)
    """Images in one request, to embed or to write."""
    texts: int = Field(default=256, ge=1)
    """Texts in one request, to embed."""
    text_characters: int = Field(default=8192, ge=1)
    """Of one text."""
    vectors: int = Field(default=1000, ge=1)
    """Entries with ready-made vectors in one write."""
    queries: int = Field(default=256, ge=1)
    """Queries of one search."""
    hits: int = Field(default=100_000, ge=1)
    """Hits that all queries of one search ask for together."""
    pixels: int = Field(default=50_000_000, ge=1)
    """Width times height of one image, read from its header before anything is decoded."""
    k: int = Field(default=1000, ge=1)
    concurrency: int = Field(default=256, ge=1)
    """Requests in progress in one replica; more are answered 429. One that is still being received is not."""
    receive_seconds: float = Field(default=30.0, gt=0, le=3600)
    """How long a request may take to arrive; then it is answered 408."""
    bodies_bytes: int = Field(default=1024**3, ge=1024)
    """Bodies of all requests that are received or in progress in one replica; beyond it, 429."""


class BatchingConfig(Settings):
    """How requests share one pass through a model."""

    images: int = Field(default=128, ge=1)
    """Images in one pass at most."""
    wait_seconds: float = Field(default=0.0, ge=0, le=1)
    """How long an idle model waits for company. 0: it starts at once; what arrives meanwhile comes next."""


class ShadowConfig(Settings):
    """How the shadow of a traffic record is asked, beside the answers."""

    workers: int = Field(default=2, ge=1, le=64)
    """Queries that the shadow works on at a time in one replica."""
    waiting: int = Field(default=64, ge=1)
    """Queries that wait for it at most; more are dropped, and counted."""
    waiting_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    """What the images of these may take together."""
    save_seconds: float = Field(default=5.0, gt=0, le=3600)
    """How often what was found is written to the store."""
    relevance: str | None = Field(default=None, min_length=1)
    """An attribute: to a search by an entry's id, the entries with the same value of it are relevant."""


class ErrorBudget(Settings):
    """When a version that was promoted, or made the canary, is taken away by itself."""

    share: float = Field(default=0.02, gt=0, lt=1)
    """Of its queries that may fail by a fault of the server's."""
    window_seconds: float = Field(default=60.0, gt=0, le=3600)
    """It is the queries of so many last seconds that count, in each replica."""
    queries: int = Field(default=50, ge=1)
    """Fewer queries tell nothing."""


class Autoscaling(Settings):
    """As many gateways as there is work for, beginning with `replicas`."""

    max: int = Field(ge=1)
    """Gateways at most."""
    ongoing: float = Field(default=16.0, gt=0)
    """How many requests at a time are right for one gateway, on average. Beyond that there are more gateways,
    below it fewer."""
    up_seconds: float = Field(default=5.0, gt=0, le=3600)
    """How long it has to be so before there are more."""
    down_seconds: float = Field(default=300.0, gt=0, le=86400)
    """And before there are fewer: a new gateway takes seconds until it answers."""


class ServingConfig(Settings):
    """One server: the store that it follows, its size and its limits."""

    store: str = Field(repr=False)
    artifacts: str | None = Field(None, repr=False)
    replicas: int = Field(default=1, ge=1)
    """Gateways; with `autoscaling` at least."""
    autoscaling: Autoscaling | None = None
    """More gateways while requests wait. None: as many as `replicas`."""
    cpus: float = Field(default=1.0, ge=0)
    """Cores that Ray reserves for one gateway replica, and the threads of its model."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs that Ray reserves for one gateway replica, on which its models run: 1, or a fraction, of which
    several share one."""
    key_hashes: tuple[tuple[str, str], ...] = ()
    """Pairs (role, SHA-256 of a key). Empty: the keys are those of the store."""
    index: AnyIndexConfig = IndexConfig()
    """What the gallery is searched with. With Milvus the writer brings the entries there."""
    limits: Limits = Limits()
    batching: BatchingConfig = BatchingConfig()
    follow_seconds: float = Field(default=0.15, gt=0, le=10)
    """How often a replica looks for new entries and a new traffic record."""
    check_seconds: float = Field(default=3600.0, gt=0)
    """How often a replica sees whether its models still answer as they did when they were published. Those
    behind endpoints may have become others, and are refused from then on."""
    error_budget: ErrorBudget | None = ErrorBudget()
    """Beyond which a version that took over is rolled back by itself; None: never."""
    shadow: ShadowConfig = ShadowConfig()
    late_seconds: float = Field(default=3600.0, ge=0)
    """How long after its moment a scheduled change of the traffic is still made; then it is `missed`."""
    spare_versions: int = Field(default=3, ge=0)
    """Versions outside the traffic record that stay loaded because somebody asked for them by name."""
    catch_up_seconds: float = Field(default=5.0, gt=0)
    """How long a search waits for its `min_seq`."""
    drain_seconds: float = Field(default=20.0, ge=0)
    """How long a server that is told to stop waits for the requests in progress."""
    write_seconds: float = Field(default=10.0, gt=0)
    """How long a write waits for the writer's commit."""
    root_path: str = Field(default="", pattern=r"^(/[A-Za-z0-9._~-]+)*$")
    """Below which path a proxy in front shows the server: `/gallery`. A proxy that takes it off the address
    can say so in X-Forwarded-Prefix instead."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose web pages may call the API from a browser, such as `https://example.org`; `*` for all."""
    access_log: bool = False
    """Whether every request is logged, as a line of JSON on standard error."""
    log_form: Literal["text", "json"] = "text"
    """How warnings and errors are logged: `json` is a line of JSON each, with the traceback in it."""
    tracing: bool = False
    """Whether requests are traced by OpenTelemetry, whose own variables say where traces go and how many."""
    sources: tuple[str, ...] = ()
    """Folders and URL prefixes below which the images that entries name may be read: by re-embeddings, and by
    cascades."""
    cascade: CascadeConfig = CascadeConfig()
    """What a search may spend on the images of entries that older versions embedded."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.autoscaling is not None and self.autoscaling.max < self.replicas:
            raise ValueError(
                f"replicas is {self.replicas}, which are at least, and autoscaling.max {self.autoscaling.max}"
            )
        return self

    @property
    def most_replicas(self) -> int:
        return self.replicas if self.autoscaling is None else self.autoscaling.max

    @property
    def loadable_versions(self) -> int:
        """How many versions a replica may have loaded: those of the traffic record, and the spare ones."""
        return len(ALIASES) + self.spare_versions
