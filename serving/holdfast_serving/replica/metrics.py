"""Prometheus metrics. Every replica answers for itself."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from holdfast_serving.stages import STAGES

_STAGE_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Family(NamedTuple):
    """A metric as it is declared, before there is any figure of it."""

    name: str
    kind: str
    about: str
    labels: tuple[str, ...]


class Metrics:
    """The figures of one replica, all prefixed `holdfast_`; labels have few values, whatever clients send."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "holdfast_requests", "Requests answered.", ("route", "code", "version"), registry=self.registry
        )
        self.seconds = Histogram(
            "holdfast_request_seconds",
            "Time to answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "holdfast_embed_batch_size",
            "Images in one pass of a model.",
            ("version",),
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
            registry=self.registry,
        )
        self.queue_seconds = Histogram(
            "holdfast_embed_queue_seconds",
            "Wait of the oldest image of a pass.",
            ("version",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "holdfast_stage_seconds",
            "Time of a request in one of its stages.",
            ("stage",),
            buckets=_STAGE_SECONDS,
            registry=self.registry,
        )
        self.search_seconds = Histogram(
            "holdfast_search_seconds", "Time in the index.", buckets=_SECONDS, registry=self.registry
        )
        self.cascade_seconds = Histogram(
            "holdfast_cascade_seconds",
            "Wait of a search for the images of candidates.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.cascade_candidates = Counter(
            "holdfast_cascade_candidates",
            "Entries that were recalled to be ranked by their images.",
            ("outcome",),
            registry=self.registry,
        )
        self.cascade_vectors = Counter(
            "holdfast_cascade_vectors",
            "Vectors of cascades that were handed to the writer.",
            ("outcome",),
            registry=self.registry,
        )
        self.shadow_queries = Counter(
            "holdfast_shadow_queries",
            "Queries for the shadow, by what became of them.",
            ("outcome",),
            registry=self.registry,
        )
        self.shadow_overlap = Histogram(
            "holdfast_shadow_overlap",
            "Share of the live version's first ten hits that the shadow has, too.",
            buckets=tuple(tenth / 10 for tenth in range(11)),
            registry=self.registry,
        )
        self.shadow_seconds = Histogram(
            "holdfast_shadow_seconds",
            "Time of a query that both answered, in the live version and in the shadow.",
            ("side",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.shadow_flips = Counter(
            "holdfast_shadow_flips",
            "Queries with known relevance, by who put a relevant entry first.",
            ("right",),
            registry=self.registry,
        )
        self.budget = Counter(
            "holdfast_error_budget",
            "Times that the error budget of a version was spent, by what was done.",
            ("done",),
            registry=self.registry,
        )
        self.entries = Gauge(
            "holdfast_gallery_entries", "Searchable entries.", ("version",), registry=self.registry
        )
        self.applied_seq = Gauge(
            "holdfast_gallery_applied_seq", "The last write that is searchable here.", registry=self.registry
        )
        self.epoch = Gauge("holdfast_traffic_epoch", "The traffic record followed.", registry=self.registry)
        self.loaded = Gauge(
            "holdfast_version_loaded", "1 for a version in memory.", ("version",), registry=self.registry
        )
        self.sound = Gauge(
            "holdfast_version_sound",
            "1 for a version in memory whose model answers as when it was published, 0 if it does not.",
            ("version",),
            registry=self.registry,
        )
        self.away = Gauge(
            "holdfast_away", "1 for what the server has to do without.", ("part",), registry=self.registry
        )
        self.follow_failures = Counter(
            "holdfast_follow_failures", "Failed attempts to follow the store.", registry=self.registry
        )
        self._answered: dict[tuple[str, int, str], tuple[Counter, Histogram]] = {}
        self._stages = {stage: self.stage_seconds.labels(stage) for stage in STAGES}

    def families(self) -> list[Family]:
        """All that are declared here, by their names."""
        # The client tells the labels of figures only, and says nowhere which there will be.
        found = [each for each in vars(self).values() if isinstance(each, MetricWrapperBase)]
        return sorted(
            Family(each._name, str(each._type), each._documentation, each._labelnames) for each in found
        )

    def show_away(self, parts: Sequence[str]) -> None:
        """What is away now."""
        for part in ("database", "writer"):
            self.away.labels(part).set(part in parts)

    def observe_request(self, route: str, code: int, version: str, seconds: float) -> None:
        """One answer. Its figures are kept at hand: looking them up by labels takes locks and checks."""
        figures = self._answered.get((route, code, version))
        if figures is None:
            figures = self.requests.labels(route, str(code), version), self.seconds.labels(route)
            self._answered[route, code, version] = figures
        counted, taken = figures
        counted.inc()
        taken.observe(seconds)

    def observe_stages(self, seconds: Mapping[str, float]) -> None:
        """Of one request, by stage."""
        for stage, taken in seconds.items():
            self._stages[stage].observe(taken)

    def show_health(self, sound: Mapping[str, bool]) -> None:
        """Of the versions that are in memory now."""
        self.sound.clear()
        for version, is_sound in sound.items():
            self.sound.labels(version).set(is_sound)

    def observe_batch(self, version: str, images: int, waited: float) -> None:
        self.batch_size.labels(version).observe(images)
        self.queue_seconds.labels(version).observe(waited)
