"""The ways of a verdict as one picture: points with their intervals against the status quo."""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from holdfast.evaluation.upgrades.verdict import Line, Verdict
from holdfast.evaluation.upgrades.ways import STATUS_QUO

_COLOURS = {"better": "#1a7f4b", "worse": "#c0322b", "open": "#9a6400"}


def picture_of(verdict: Verdict) -> bytes:
    """PNG: one line a way, the difference to the status quo in points with its 95 % interval."""
    lines = [line for line in verdict.lines if line.way != STATUS_QUO]
    figure = Figure(figsize=(8, 1.2 + 0.42 * len(lines)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for place, line in enumerate(reversed(lines)):
        found = line.figure.comparison
        colour = _COLOURS[_tone(line)]
        axes.plot([found.low, found.high], [place, place], color=colour, linewidth=3, solid_capstyle="round")
        axes.plot(found.difference, place, "o", color=colour, markersize=7)
    axes.axvline(0, color="#565b61", linewidth=1)
    axes.set_yticks(range(len(lines)), [f"{line.way}" for line in reversed(lines)])
    base = verdict.lines[0].figure.comparison.value
    axes.set_xlabel(f"points of Recall@1 against leaving things alone ({base:.1f} %), with 95 % intervals")
    provisional = ", provisional" if verdict.provisional else ""
    axes.set_title(
        f"{verdict.new} over entries of {verdict.old} (by {verdict.truth}{provisional})", loc="left"
    )
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    axes.grid(axis="x", color="#e2e2de", linewidth=0.8)
    axes.set_axisbelow(True)
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def _tone(line: Line) -> str:
    if line.figure.is_better:
        return "better"
    return "worse" if line.figure.is_worse else "open"
