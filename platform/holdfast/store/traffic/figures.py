"""What a shadow found, in counts that can be added up, and the figures that they make."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np

from holdfast.evaluation import Interval, bootstrap_counts, wilson

TOP = 10
"""Hits of each ranking that are compared; fewer where fewer were asked for."""
Omission = Literal["dropped", "not_comparable"]
"""Why a query was not compared: too many waited already; it came without anything that could be embedded."""
_STEP = 0.02  # of a logarithm: latencies are told apart where they differ by 2 %
_FIELDS = ("overlaps", "ratios", "live_seconds", "shadow_seconds", "flips", "errors", "left_out")


@dataclass
class Tally:
    """How often what was found; two tallies of different queries add up.

    Attributes:
        overlaps: by `7/10`, hits that both rankings had, of how many.
        ratios: logarithms of the shadow's latency by the live version's, in steps.
        live_seconds, shadow_seconds: logarithms of the latencies, in steps.
        flips: `both` were right, or `neither`, or the live version alone (`negative`), or the shadow alone
            (`positive`).
        errors: by their code.
    """

    overlaps: Counter[str] = field(default_factory=Counter)
    ratios: Counter[str] = field(default_factory=Counter)
    live_seconds: Counter[str] = field(default_factory=Counter)
    shadow_seconds: Counter[str] = field(default_factory=Counter)
    flips: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    last_error: str | None = None

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """From what `as_dict` gave."""
        counts = {name: Counter(content.get(name, {})) for name in _FIELDS}
        return cls(**counts, last_error=content.get("last_error"))

    def as_dict(self) -> dict[str, Any]:
        return {name: dict(getattr(self, name)) for name in _FIELDS} | {"last_error": self.last_error}

    def compared(
        self, live: list[str], shadow: list[str], live_seconds: float | None, shadow_seconds: float
    ) -> float:
        """One query that both answered, with the ids of their first hits. Returns which share is the same.

        Args:
            live_seconds: None where it was answered together with others, which tells no latency.
        """
        ranked = min(TOP, max(len(live), len(shadow)))
        common = len(set(live[:ranked]) & set(shadow[:ranked]))
        self.overlaps[f"{common}/{ranked}"] += 1
        share = _fraction(f"{common}/{ranked}")
        if live_seconds is None:
            return share
        self.ratios[_step(max(shadow_seconds, 1e-6) / max(live_seconds, 1e-6))] += 1
        self.live_seconds[_step(live_seconds)] += 1
        self.shadow_seconds[_step(shadow_seconds)] += 1
        return share

    def judged(self, live_right: bool, shadow_right: bool) -> str:
        """The same query, if it is known whether the first hit of each is relevant. Returns the outcome."""
        outcomes = {(True, True): "both", (True, False): "negative", (False, True): "positive"}
        outcome = outcomes.get((live_right, shadow_right), "neither")
        self.flips[outcome] += 1
        return outcome

    def failed(self, code: str, message: str) -> None:
        """One query that the shadow did not answer."""
        self.errors[code] += 1
        self.last_error = message

    def omitted(self, why: Omission) -> None:
        self.left_out[why] += 1

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in _FIELDS)

    def __add__(self, other: "Tally") -> "Tally":
        counts = {name: getattr(self, name) + getattr(other, name) for name in _FIELDS}
        return Tally(**counts, last_error=other.last_error or self.last_error)


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Latency:
    """Seconds of one version, from a query's image or text to its hits; up to 2 % of each is rounding."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class ShadowFigures:
    """What a shadow is worth beside the live version, as far as queries have shown it.

    Attributes:
        queries: that both answered.
        overlap: mean share of the first ten hits that both have.
        judged: queries of which a relevant entry is known; `negative_flips`, `positive_flips`: in which share
            of them only the live version had one first, and in which only the shadow.
        errors: share of the queries that the shadow did not answer.
        latency_ratio: geometric mean over queries of the shadow's latency by the live version's.
    """

    queries: int = 0
    overlap: Figure | None = None
    judged: int = 0
    negative_flips: Figure | None = None
    positive_flips: Figure | None = None
    errors: Figure | None = None
    failed: int = 0
    failed_by_code: Mapping[str, int] = field(default_factory=dict)
    last_error: str | None = None
    live_seconds: Latency | None = None
    shadow_seconds: Latency | None = None
    latency_ratio: Figure | None = None
    dropped: int = 0
    not_comparable: int = 0

    @classmethod
    def of(cls, tally: Tally) -> Self:
        queries, judged, failed = (sum(each.values()) for each in (tally.overlaps, tally.flips, tally.errors))
        ratio = _mean((int(step) * _STEP, count) for step, count in tally.ratios.items())
        return cls(
            queries=queries,
            overlap=_mean((_fraction(key), count) for key, count in tally.overlaps.items()),
            judged=judged,
            negative_flips=_share(tally.flips["negative"], judged),
            positive_flips=_share(tally.flips["positive"], judged),
            errors=_share(failed, queries + failed),
            failed=failed,
            failed_by_code=dict(tally.errors),
            last_error=tally.last_error,
            live_seconds=_latency(tally.live_seconds),
            shadow_seconds=_latency(tally.shadow_seconds),
            latency_ratio=ratio and Figure(*map(math.exp, (ratio.value, ratio.low, ratio.high))),
            dropped=tally.left_out["dropped"],
            not_comparable=tally.left_out["not_comparable"],
        )


def _step(seconds: float) -> str:
    return str(round(math.log(max(seconds, 1e-6)) / _STEP))


def _fraction(key: str) -> float:
    common, ranked = map(int, key.split("/"))
    # Two rankings without a hit are the same.
    return common / ranked if ranked else 1.0


def _mean(found: Iterable[tuple[float, int]]) -> Figure | None:
    rows = list(found)
    if not rows:
        return None
    values, counts = np.array(rows).T
    return _figure(bootstrap_counts(values, counts))


def _share(count: int, total: int) -> Figure | None:
    return _figure(wilson(count, total)) if total else None


def _figure(interval: Interval) -> Figure:
    return Figure(interval.mean, interval.low, interval.high)


def _latency(found: Counter[str]) -> Latency | None:
    if not found:
        return None
    steps, counts = np.array(sorted((int(step), count) for step, count in found.items())).T
    reached = np.cumsum(counts)
    at = [steps[np.searchsorted(reached, share * reached[-1])] for share in (0.5, 0.95, 0.99)]
    return Latency(*(math.exp(_STEP * int(step)) for step in at))
