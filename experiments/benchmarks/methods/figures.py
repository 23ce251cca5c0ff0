"""The plots of one benchmark: matrices, self- against cross-test, curves over tasks, forgetting."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from experiments.benchmarks.harness.drawing import CONTROL, OTHER, STRONG, draw_into
from experiments.benchmarks.methods.recipes import FINETUNE, HOLDFAST, INDEPENDENT, JOINT
from experiments.benchmarks.methods.results import Results, Row, common_mean

CONTROLS = (FINETUNE, INDEPENDENT, JOINT)
AROUND = np.array([12.0, 6.0])
"""Points of the cross-test and of the self-test below the best within which a method is near the front."""


def draw_all(
    results: Results, benchmark: str, title: str, rows: Sequence[Row], folder: Path
) -> dict[str, str]:
    """Draw what there are figures for; kind -> file name in `folder`."""
    plots: dict[str, tuple[Callable[..., Any], str]] = {
        "matrices": (draw_matrices, "png"),
        "plane": (draw_plane, "svg"),
        "curves": (draw_curves, "svg"),
        "forgetting": (draw_forgetting, "svg"),
    }
    drawn: dict[str, str] = {}
    for kind, (draw, ending) in plots.items():
        name = f"{benchmark}-{kind}.{ending}"
        if draw_into(folder / name, partial(draw, results, benchmark, title, rows)):
            drawn[kind] = name
    return drawn


def draw_matrices(results: Results, benchmark: str, title: str, rows: Sequence[Row]) -> Any:
    """Small multiples: the lower triangle of C, less the older version's self-test, in points."""
    found = {}
    for row in rows:
        matrix = results.matrix(benchmark, row)
        if matrix is not None and len(matrix) > 2:
            found[row] = np.where(np.tri(len(matrix), dtype=bool), matrix, np.nan)
    if not found:
        return None
    across = 6
    down = -(-len(found) // across)
    size = (12, 2.15 * down + 0.4)
    figure, axes = plt.subplots(down, across, figsize=size, squeeze=False, layout="constrained")
    for place in axes.flat:
        place.axis("off")
    image: Any = None
    for place, (row, matrix) in zip(axes.flat, found.items(), strict=False):
        place.axis("on")
        gains = matrix - np.diag(matrix)[None, :]
        np.fill_diagonal(gains, np.nan)
        image = place.imshow(gains, cmap="RdBu", vmin=-15, vmax=15)
        place.set(xticks=[], yticks=[])
        place.set_title(label(row).replace(" | ", " |\n"), fontsize=6, loc="left")
    figure.suptitle(
        f"{title}: Recall@1 of queries by a version (row) over an older gallery (column), less that "
        "gallery's own version, in points",
        fontsize=9,
    )
    figure.colorbar(image, ax=axes, shrink=min(1, 3 / down), pad=0.01)
    return figure


def draw_plane(results: Results, benchmark: str, title: str, rows: Sequence[Row]) -> Any:
    """Mean cross-test against the last self-test, and the front of those that no other one beats in both.

    A number is a method, a marker what is on top of it; on the right what is around the front.
    """
    points = {}
    for row in rows:
        cross = common_mean(results.figures(benchmark, row, "cross"))
        own = common_mean(results.figures(benchmark, row, "self_last"))
        if cross is not None and own is not None:
            points[row] = (cross, own)
    if not points:
        return None
    numbers = {name: place for place, name in enumerate(dict.fromkeys(row[0] for row in points), 1)}
    markers = dict(zip(dict.fromkeys(row[1] for row in points), "o^sDvPX*<>", strict=False))
    front = pareto_front(list(points.values()))
    best = np.max(list(points.values()), axis=0)
    near = {row: point for row, point in points.items() if np.all(best - point <= AROUND)}
    figure, places = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
    for axes, shown in zip(places, (points, near), strict=True):
        for row, point in shown.items():
            color = _color(row)
            axes.plot(*point, markers[row[1]], color=color, markersize=4.5, alpha=0.8)
            place, shift = str(numbers[row[0]]), (3, 3)
            axes.annotate(place, point, shift, textcoords="offset points", fontsize=6, color=color)
        axes.set_xlabel("cross-test, mean over the pairs (Recall@1, %)")
    places[0].plot(*zip(*front, strict=True), color=STRONG, linewidth=0.8, linestyle="--", zorder=0)
    edge = [point for point in front if np.all(best - point <= AROUND)]
    if edge:
        places[1].plot(*zip(*edge, strict=True), color=STRONG, linewidth=0.8, linestyle="--", zorder=0)
    places[0].set_ylabel("self-test of the last version (%)")
    places[1].set_title("around the Pareto front", fontsize=8, loc="left")
    names = [
        plt.Line2D([], [], linestyle="", marker=f"${place}$", color=_color((name, "")), label=name)
        for name, place in numbers.items()
    ]
    on_top = [
        plt.Line2D([], [], linestyle="", marker=marker, color="black", label=name or "nothing on top")
        for name, marker in markers.items()
    ]
    figure.legend(handles=names + on_top, loc="outside right upper", fontsize=6, frameon=False, ncols=2)
    figure.suptitle(f"{title}: the line is the Pareto front", fontsize=9, x=0.01, ha="left")
    return figure


def draw_curves(results: Results, benchmark: str, title: str, rows: Sequence[Row]) -> Any:
    """After each task: the self-test, and the mean over all older galleries."""
    plain = [row for row in rows if not row[1] and results.matrix(benchmark, row) is not None]
    found = [row for row in plain if len(results.matrix(benchmark, row)) > 2]  # type: ignore[arg-type]
    if not found:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    colors = plt.get_cmap("tab20")(np.linspace(0, 1, len(found)))
    for row, color in zip(found, colors, strict=True):
        matrix = results.matrix(benchmark, row)
        assert matrix is not None
        width = 2.2 if row[0] == HOLDFAST else 1.0
        style = "--" if row[0] in CONTROLS else "-"
        tasks = np.arange(1, len(matrix) + 1)
        older = [matrix[i, :i].mean() for i in range(1, len(matrix))]
        left.plot(tasks, np.diag(matrix), style, color=color, linewidth=width, label=label(row))
        right.plot(tasks[1:], older, style, color=color, linewidth=width)
    left.set(xlabel="version", ylabel="Recall@1, %", title="self-test")
    right.set(xlabel="version", title="over all older galleries, mean")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.suptitle(title, fontsize=9)
    figure.legend(loc="center left", bbox_to_anchor=(0.92, 0.5), fontsize=6, frameon=False)
    return figure


def draw_forgetting(results: Results, benchmark: str, title: str, rows: Sequence[Row]) -> Any:
    """Bars: what the earlier tasks' held-out images lost, in points."""
    found = {}
    for row in rows:
        values = results.figures(benchmark, row, "forgetting")
        if values and not row[1]:
            found[row] = np.array(list(values.values()))
    if not found:
        return None
    ordered = sorted(found.items(), key=lambda pair: -pair[1].mean())
    figure, axes = plt.subplots(figsize=(6.5, 0.22 * len(ordered) + 0.8))
    for place, (row, every) in enumerate(ordered):
        axes.barh(place, every.mean(), color=_color(row), height=0.7)
        axes.plot(every, [place] * len(every), "|", color="black", markersize=5)
    axes.set_yticks(range(len(ordered)), [label(row) for row, _ in ordered], fontsize=6)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.set(xlabel="forgetting, points (marks: seeds)")
    axes.set_title(title, fontsize=9, loc="left")
    return figure


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other one reaches in both coordinates, by the first one."""
    front = []
    best = -np.inf
    for point in sorted(set(points), reverse=True):
        if point[1] > best:
            front.append(point)
            best = point[1]
    return front[::-1]


def label(row: Row) -> str:
    """A row's short name."""
    return f"{row[0]} | {row[1]}" if row[1] else row[0]


def _color(row: Row) -> str:
    return STRONG if row[0] == HOLDFAST else CONTROL if row[0] in CONTROLS else OTHER
