"""Where the default recipe stands: what was asked of it, condition by condition.

*Above* asks that the whole 95 % interval of the paired difference is above zero; *at least* and *at most* are
read off the means, with the interval beside them. What is found on fewer seeds than were asked for is not
reached, whatever it is. A single method is every method of the tables but the recipe, joint training and
independent initialization, and every adapter on top of plain fine-tuning.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.benchmarks.methods.protocols import SHIPPED
from experiments.benchmarks.methods.recipes import FINETUNE, HOLDFAST, INDEPENDENT, JOINT
from experiments.benchmarks.methods.results import Results, Row, common_mean
from holdfast.evaluation import Interval

SEEDS = 5
TEN = "omniglot-10"
SHIPPED_FIVE, SHIPPED_TEN = f"omniglot-5{SHIPPED}", TEN + SHIPPED
STREAMS = (SHIPPED_FIVE, SHIPPED_TEN, TEN)
"""Of Omniglot: as they ship, beside fine-tuning alone, and at half width beside every method."""
SAMPLED_TEN, SAMPLED, GLYPHS, SAMPLED_GLYPHS = (
    f"{SHIPPED_TEN}-sampled",
    "grocery-sampled",
    "glyphs",
    "glyphs-sampled",
)
PAIRS = {SHIPPED_TEN: 45, SAMPLED_TEN: 45, SAMPLED: 15, GLYPHS: 10, SAMPLED_GLYPHS: 10}
"""Of a newer version and an older one, in the streams of which all are asked for."""
SLERP = "rotation+slerp"
RECIPE: Row = (HOLDFAST, "")
CASCADE: Row = (HOLDFAST, "cascade-10")
REACHED, MISSED, UNKNOWN = "reached", "not reached", "not measured"


@dataclass(frozen=True)
class Condition:
    """One thing that was asked for, on one benchmark."""

    asked: str
    benchmark: str
    found: str
    verdict: str


@dataclass(frozen=True)
class Goal:
    """What is reached when all of its conditions are."""

    title: str
    conditions: tuple[Condition, ...]

    @property
    def verdict(self) -> str:
        verdicts = {condition.verdict for condition in self.conditions}
        return next((verdict for verdict in (MISSED, UNKNOWN) if verdict in verdicts), REACHED)


def goals(results: Results, bench: Path | None = None) -> list[Goal]:
    """All goals. `bench`: the rows of the benchmark training_speed, where a step's cost is measured alone."""
    own = ("self_last", (FINETUNE, ""), "self_last")
    return [
        Goal(
            "Omniglot, 5 tasks: nothing to backfill, and better than fine-tuning",
            (
                _compatible(results, SHIPPED_FIVE, 10),
                _above(results, SHIPPED_FIVE, "last self-test above fine-tuning's", *own),
            ),
        ),
        Goal(
            "Omniglot, 10 tasks: nothing to backfill, and no worse than fine-tuning",
            (
                _compatible(results, SHIPPED_TEN, PAIRS[SHIPPED_TEN]),
                _at_least_the_best(results, SHIPPED_TEN),
                _above_first(results, SHIPPED_TEN),
            ),
        ),
        Goal(
            "Omniglot, 10 tasks, with a gallery sample: the same",
            (_compatible(results, SAMPLED_TEN, PAIRS[SAMPLED_TEN]), _at_least_the_best(results, SAMPLED_TEN)),
        ),
        Goal(
            "Omniglot, 10 tasks at half width: as good as the best single method",
            (_at_least_the_best(results, TEN),),
        ),
        Goal("A gallery of mixed entries", tuple(one for name in STREAMS for one in _mixed(results, name))),
        Goal(
            "Better than Procrustes + SLERP at half its forward passes",
            tuple(
                _above_all(
                    results,
                    name,
                    "last version over older galleries: above rotation + SLERP, whatever it is on top of",
                    "last_on_older",
                    [(method, SLERP) for method in results.methods(name)],
                )
                for name in STREAMS
            ),
        ),
        Goal("Little is forgotten", tuple(_forgetting(results, name) for name in (SHIPPED_TEN, TEN))),
        Goal("Grocery, with a gallery sample: most pairs hold", (_mean_ac(results, SAMPLED),)),
        Goal("Glyphs: nothing to backfill", (_compatible(results, GLYPHS, PAIRS[GLYPHS]),)),
        Goal(
            "Glyphs, with a gallery sample: nothing to backfill",
            (_compatible(results, SAMPLED_GLYPHS, PAIRS[SAMPLED_GLYPHS]),),
        ),
        Goal(
            "In a cascade: every pair holds",
            tuple(_compatible(results, name, pairs, CASCADE) for name, pairs in PAIRS.items()),
        ),
        Goal("A step costs little more", (_cost(results, SHIPPED_TEN, bench),)),
    ]


def _mixed(results: Results, name: str) -> tuple[Condition, ...]:
    return (
        _above(results, name, "above the oldest version's own gallery", "mixed", RECIPE, "self_first"),
        _above_all(results, name, "above every single method", "mixed", single_methods(results, name)),
        _mixed_share(results, name),
    )


def single_methods(results: Results, benchmark: str) -> list[Row]:
    rows = [(name, "") for name in results.methods(benchmark) if name not in (HOLDFAST, JOINT, INDEPENDENT)]
    return rows + [(FINETUNE, variant) for variant in results.variants(benchmark, FINETUNE)]


def _compatible(results: Results, benchmark: str, pairs: int, row: Row = RECIPE) -> Condition:
    passes = "one forward pass a query" if row == RECIPE else "the ten best entries ranked by their images"
    asked = f"AC = 1.00 over all {pairs} pairs in each of {SEEDS} seeds, {passes}"
    ac = list(results.figures(benchmark, row, "ac").values())
    right = sum(value == 1 for value in ac)
    found = f"in {right} of {len(ac)} seeds; AC {', '.join(f'{value:.2f}' for value in ac)}"
    return _judged(asked, benchmark, found, right == len(ac), len(ac), one_decides=True)


def _mean_ac(results: Results, benchmark: str, least: float = 0.8) -> Condition:
    asked = f"AC at least {least}, mean of {SEEDS} seeds"
    ac = list(results.figures(benchmark, RECIPE, "ac").values())
    if not ac:
        return Condition(asked, benchmark, "", UNKNOWN)
    found = f"{np.mean(ac):.2f}; {', '.join(f'{value:.2f}' for value in ac)}"
    return _judged(asked, benchmark, found, float(np.mean(ac)) >= least, len(ac))


def _above(
    results: Results, benchmark: str, asked: str, quantity: str, other: Row, of_other: str
) -> Condition:
    interval = results.difference(benchmark, RECIPE, quantity, other, of_other)
    if interval is None:
        return Condition(asked, benchmark, "", UNKNOWN)
    found = f"{_mean(results, benchmark, quantity):.1f}: {span(interval)}"
    return _judged(asked, benchmark, found, interval.low > 0, _paired(results, benchmark, other))


def _above_all(
    results: Results, benchmark: str, asked: str, quantity: str, others: Sequence[Row]
) -> Condition:
    """Above every one of the others: judged by the one whose interval reaches lowest."""
    known = []
    for other in others:
        interval = results.difference(benchmark, RECIPE, quantity, other, quantity)
        if interval is not None:
            known.append((interval.low, interval, other))
    if not known:
        return Condition(asked, benchmark, "", UNKNOWN)
    low, interval, other = min(known, key=lambda one: one[0])
    found = f"{_mean(results, benchmark, quantity):.1f}: {span(interval)} against {_name(other)}"
    return _judged(asked, benchmark, found, low > 0, _paired(results, benchmark, other))


def _at_least_the_best(results: Results, benchmark: str) -> Condition:
    asked = "last self-test at least the best single method's"
    known = {}
    for other in single_methods(results, benchmark):
        mean = common_mean(results.figures(benchmark, other, "self_last"))
        if mean is not None and not other[1]:
            known[other] = mean
    best = max(known, key=lambda row: known[row], default=RECIPE)
    interval = results.difference(benchmark, RECIPE, "self_last", best, "self_last")
    if interval is None or best == RECIPE:
        return Condition(asked, benchmark, "", UNKNOWN)
    found = f"{_mean(results, benchmark, 'self_last'):.1f}: {span(interval)} against {_name(best)}"
    return _judged(asked, benchmark, found, interval.mean >= 0, _paired(results, benchmark, best))


def _above_first(results: Results, benchmark: str, points: float = 6.0) -> Condition:
    asked = f"last version on the first gallery at least {points:.0f} points above the first self-test"
    interval = results.difference(benchmark, RECIPE, "last_on_first", RECIPE, "self_first")
    if interval is None:
        return Condition(asked, benchmark, "", UNKNOWN)
    last, first = (_mean(results, benchmark, name) for name in ("last_on_first", "self_first"))
    found = f"{last:.1f} over {first:.1f}: {span(interval)}"
    return _judged(asked, benchmark, found, interval.mean >= points, _paired(results, benchmark, RECIPE))


def _mixed_share(results: Results, benchmark: str, share: float = 0.85) -> Condition:
    asked = f"at least {100 * share:.0f} % of the last self-test"
    if not results.seeds(benchmark, RECIPE):
        return Condition(asked, benchmark, "", UNKNOWN)
    mixed, own = (_mean(results, benchmark, name) for name in ("mixed", "self_last"))
    found = f"{mixed:.1f} of {own:.1f}: {100 * mixed / max(own, 1e-9):.1f} %"
    return _judged(asked, benchmark, found, mixed >= share * own, _paired(results, benchmark, RECIPE))


def _forgetting(results: Results, benchmark: str, points: float = 0.5) -> Condition:
    asked = f"forgetting at most {points} points"
    values = list(results.figures(benchmark, RECIPE, "forgetting").values())
    if not values:
        return Condition(asked, benchmark, "", UNKNOWN)
    mean = float(np.mean(values))
    found = f"{mean:.2f} ({min(values):.2f} to {max(values):.2f} over the seeds)"
    return _judged(asked, benchmark, found, mean <= points, len(values))


def _cost(results: Results, benchmark: str, bench: Path | None, factor: float = 1.6) -> Condition:
    asked = f"a step at most {factor} times fine-tuning's"
    alone = _measured_alone(bench)
    if alone is not None:
        median, low, high = alone
        found = f"{median:.2f} times ({low:.2f} to {high:.2f}; measured alone, by make bench)"
        return Condition(asked, benchmark, found, REACHED if median <= factor else MISSED)
    own, base = (results.step_seconds(benchmark, name) for name in (HOLDFAST, FINETUNE))
    if own is None or not base:
        return Condition(asked, benchmark, "", UNKNOWN)
    found = f"{own / base:.2f} times (rough: of cells that ran side by side)"
    return Condition(asked, benchmark, found, REACHED if own <= factor * base else MISSED)


def _measured_alone(bench: Path | None) -> tuple[float, float, float] | None:
    if bench is None or not bench.is_file():
        return None
    for row in json.loads(bench.read_text())["rows"]:
        if row["unit"] == "times fine-tuning" and row["figure"] is not None:
            return row["figure"], row["low"], row["high"]
    return None


def _judged(
    asked: str, benchmark: str, found: str, holds: bool, seeds: int, one_decides: bool = False
) -> Condition:
    """`one_decides`: a single seed that fails is enough, however few there are."""
    if seeds == 0:
        return Condition(asked, benchmark, "", UNKNOWN)
    if not holds and one_decides:
        return Condition(asked, benchmark, found, MISSED)
    if seeds < SEEDS:
        return Condition(asked, benchmark, f"{found} ({seeds} of {SEEDS} seeds)", UNKNOWN)
    return Condition(asked, benchmark, found, REACHED if holds else MISSED)


def _mean(results: Results, benchmark: str, quantity: str) -> float:
    """Of the recipe, over its seeds."""
    mean = common_mean(results.figures(benchmark, RECIPE, quantity))
    assert mean is not None
    return mean


def _paired(results: Results, benchmark: str, other: Row) -> int:
    return len(set(results.seeds(benchmark, RECIPE)) & set(results.seeds(benchmark, other)))


def _name(row: Row) -> str:
    return f"{row[0]} with {row[1]}" if row[1] else row[0]


def span(interval: Interval, digits: int = 1) -> str:
    """A difference with its interval."""
    middle, low, high = (f"{value:+.{digits}f}" for value in (interval.mean, interval.low, interval.high))
    return f"{middle}, {low} to {high}"
