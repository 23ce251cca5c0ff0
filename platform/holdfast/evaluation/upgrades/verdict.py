"""What a verdict on an upgrade holds: the figures, what each way costs, and one sentence of advice."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from holdfast.evaluation.report import plain
from holdfast.evaluation.upgrades.advice import Advice
from holdfast.evaluation.upgrades.thresholds import Threshold
from holdfast.evaluation.upgrades.ways import Figure, Way


@dataclass(frozen=True)
class Cost:
    """What a way costs.

    Attributes:
        images: to be embedded by the new version before it works; of a cascade, for a query of whose
            candidates none was embedded before.
        seconds: for these images on this machine, by a probe.
        bytes: of vectors to be stored for them.
        milliseconds: of a query whose image is embedded, with all candidates there.
    """

    images: int = 0
    seconds: float | None = None
    bytes: int = 0
    milliseconds: float | None = None


@dataclass(frozen=True)
class Named:
    """A version: `adopted_as` of a foreign one, None of others."""

    version: str
    contract: str
    dimension: int
    adopted_as: str | None = None

    def __str__(self) -> str:
        return self.version if self.adopted_as is None else f"{self.adopted_as} ({self.version})"


@dataclass(frozen=True)
class Line:
    """One way: its figure and its cost."""

    figure: Figure
    cost: Cost = Cost()

    @property
    def way(self) -> Way:
        return self.figure.way

    def as_dict(self) -> dict[str, Any]:
        return {
            "way": self.way.kind,
            "candidates": self.way.candidates,
            **self.figure.comparison.as_dict(),
            "cost": asdict(self.cost),
        }


@dataclass(frozen=True)
class Verdict:
    """Everything that the page shows, for one upgrade. Percent and percentage points.

    Attributes:
        truth: what told a right entry: labels, pairs, views or agreement.
        lines: the ways, by this truth. `back`: those of a roll-back, the old version asking the entries of
            the new one, against the same status quo.
        agreement: beside views, the ways by agreement with the new version's own ranking.
        entries: of the old version in the gallery. `sample`: pairs that the adapter was fitted on.
            `measured`: entries, and queries, that the figures rest on.
        adapter: how it was fitted, None where the two meet as they are. `choice`: what its rivals scored.
        left_out: how many images were of no use, by reason.
        seconds: what took how long.
    """

    old: Named
    new: Named
    truth: str
    lines: Sequence[Line]
    advice: Advice
    entries: int
    sample: int
    measured: dict[str, int]
    adapter: dict[str, Any] | None
    choice: Sequence[dict[str, Any]] = ()
    back: Sequence[Line] = ()
    agreement: Sequence[Line] = ()
    thresholds: Sequence[Threshold] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()
    seed: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    @property
    def provisional(self) -> bool:
        """Whether it rests on neither labels nor pairs."""
        return self.truth in ("views", "agreement")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as `verdict.json` has them."""
        found: dict[str, Any] = plain(
            {
                "old": asdict(self.old),
                "new": asdict(self.new),
                "advice": self.advice.sentence,
                "decision": self.advice.decision,
                "recommended": None if self.advice.way is None else asdict(self.advice.way),
                "truth": self.truth,
                "provisional": self.provisional,
                "ways": [line.as_dict() for line in self.lines],
                "back": [line.as_dict() for line in self.back],
                "agreement": [line.as_dict() for line in self.agreement],
                "thresholds": [each.as_dict() for each in self.thresholds],
                "entries": self.entries,
                "sample": self.sample,
                "measured": self.measured,
                "adapter": self.adapter,
                "choice": list(self.choice),
                "left_out": self.left_out,
                "notes": list(self.notes),
                "seed": self.seed,
                "seconds": self.seconds,
                "machine": self.machine,
            }
        )
        return found
