"""The table of what sweeps are worth."""

from collections.abc import Iterator, Mapping

from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.tuning.figures import areas, paired, reaches, trial_cost
from experiments.benchmarks.tuning.sweeps import FIXED, FRONT, GRID, Work


def render(found: Mapping[Work, Record]) -> str:
    """Markdown: a row for each comparison that is there."""
    lines = ["| figure | value | by seed | goal |", "|---|---:|---|---|"]
    return "\n".join([*lines, *_front(found), *_grid(found), *_fixed(found)])


def _front(found: Mapping[Work, Record]) -> Iterator[str]:
    pairs = _pairs(found, FRONT, "tpe", "random")
    measured = [areas(tpe["trials"], random["trials"]) for tpe, random in pairs]
    if measured:
        interval = paired(tpe - random for tpe, random in measured)
        seeds = ", ".join(f"{tpe:.1f} ({random:.1f})" for tpe, random in measured)
        value = f"{interval.mean:+.1f} ({interval.low:+.1f} to {interval.high:+.1f})"
        yield _row("hypervolume of TPE's front less random search's, square percent", value, seeds, "above 0")


def _grid(found: Mapping[Work, Record]) -> Iterator[str]:
    measured = [reaches(grid["trials"], tpe["trials"]) for grid, tpe in _pairs(found, GRID, "grid", "tpe")]
    if measured:
        shares = [reached for reached, _ in measured]
        said = ", ".join("never" if share is None else f"{share:.1%}" for share in shares)
        worst = "never" if None in shares else f"{max(share for share in shares if share is not None):.1%}"
        what = "share of the grid's images after which TPE is within 1 % of its best, worst seed"
        yield _row(what, worst, said, "at most 25 %")
        bests = [best for _, best in measured]
        said = ", ".join(f"{best:.1%}" for best in bests)
        what = "TPE's best after a quarter of the grid's images, as a share of the grid's, worst seed"
        yield _row(what, f"{min(bests):.1%}", said, "at least 99 %")


def _fixed(found: Mapping[Work, Record]) -> Iterator[str]:
    for few, many in _pairs(found, FIXED, "few", "many"):
        cost = trial_cost(few, many)
        learned = sum(trial["seconds"] for trial in many["trials"]) / len(many["trials"])
        said = f"beside {learned:.1f} s of learning and measuring"
        what = "seconds of a trial over kept features beside what it learns"
        yield _row(what, f"{cost:.1f}", said, "at most 2")


def _row(what: str, value: str, seeds: str, goal: str) -> str:
    return f"| {what} | {value} | {seeds} | {goal} |"


def _pairs(
    found: Mapping[Work, Record], protocol: str, one: str, other: str
) -> Iterator[tuple[Record, Record]]:
    for seed in sorted({work.seed for work in found if work.protocol == protocol}):
        works = Work(protocol, one, seed), Work(protocol, other, seed)
        if all(work in found for work in works):
            yield found[works[0]], found[works[1]]
