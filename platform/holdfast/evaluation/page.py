"""The report's page: what each part of the template shows, computed from a `Report`."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from holdfast.base import dump_yaml
from holdfast.evaluation.beside import standing_rows
from holdfast.evaluation.charts import Bar, Series, bar_chart, line_chart, ramp
from holdfast.evaluation.compatibility import average_compatibility, average_multimodel_accuracy
from holdfast.evaluation.next_steps import next_steps
from holdfast.evaluation.report import Matrix, Report
from holdfast.evaluation.summary import (
    cascade_of,
    code_sentence,
    comparison_of,
    mark,
    mixed_sentence,
    signed,
    verdict,
)


@dataclass(frozen=True)
class Tile:
    """One figure. `says`: what it is, and which way is better; `note`: what belongs to this very figure;
    `mark`: the verdict on it, where there is one."""

    label: str
    value: str
    unit: str = ""
    note: str = ""
    says: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Cell:
    """One pair in the matrix. `heat` is 0 to 100, by how far its verdict is from a tie; `cascade` is what
    it gains in one, where it holds so alone."""

    text: str = ""
    interval: str = ""
    mark: str = ""
    difference: str = ""
    hover: str = ""
    heat: int = 0
    adapted: bool = False
    cascade: str = ""


def render_page(report: Report) -> str:
    """The whole page as HTML with its styles, figures and pictures inside; it loads nothing.

    Of a report with plain figures (`Report.plainly`).
    """
    sentence, tone = verdict(report)
    cells = _cells(report)
    return _template().render(
        report=report,
        sentence=sentence,
        tone=tone,
        tiles=_tiles(report),
        cells=cells,
        in_cascades=any(cell.cascade for row in cells for cell in row),
        code_cells=_cells(_on_codes(report)) if report.codes else [],
        code_sentence=code_sentence(report) if report.codes else "",
        curves=_curves(report),
        mixed_chart=_mixed_chart(report),
        mixed_sentence=mixed_sentence(report),
        standings=standing_rows(report),
        examples=_examples(report.examples),
        tables=_tables(report),
        experiment=dump_yaml(report.experiment) if report.experiment else "",
        seconds=[(_words(k), f"{v:,.1f}") for k, v in report.seconds.items() if v is not None],
        steps=next_steps(report),
        machine=[(_words(k), v) for k, v in report.machine.items() if v is not None],
    )


@cache
def _template() -> Template:
    return Environment(
        loader=PackageLoader("holdfast.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("report.html.j2")


def _tiles(report: Report) -> list[Tile]:
    newest = len(report.versions) - 1
    name = report.versions[newest]
    tiles = []
    own = report.recall_at_1[newest][newest]
    if own is not None:
        bounds = _at(report.intervals, newest, newest)
        note = f"95\N{NO-BREAK SPACE}% interval {bounds[0]:.1f} to {bounds[1]:.1f}" if bounds else ""
        says = "queries whose nearest entry is right, in a gallery of its own; higher is better"
        tiles.append(Tile(f"Recall@1 of {name}", f"{own:.1f}", "%", note, says))
    if newest:
        tiles.append(_pairs_tile(report, newest))
    mixed = report.mixed.get("recall_at_1") or []
    if newest and mixed and mixed[-1] is not None:
        note = f"queries by {name}"
        if report.mixed_raw is not None:
            note += f", {report.mixed_raw:.1f} without adapters"
        says = "Recall@1 where all versions filled the gallery; higher is better"
        tiles.append(Tile("Mixed gallery", f"{mixed[-1]:.1f}", "%", note, says))
    if report.forgetting is not None:
        note = f"{'lost' if report.forgetting >= 0 else 'gained'} since each task's best"
        says = "Recall@1 on earlier tasks, then and now; at or below zero is better"
        tiles.append(Tile("Forgetting", signed(report.forgetting), "points", note, says))
    if report.update_gain and (gains := [g for g in report.update_gain[newest] if g is not None]):
        says = (
            f"of what retraining gains ({report.control or 'control'}), without a backfill; higher is better"
        )
        tiles.append(Tile("Update gain", signed(100 * sum(gains) / len(gains), 0), "%", "", says))
    if newest and (flips := [f for f in (report.negative_flips or [[]])[-1][:newest] if f is not None]):
        says = "queries that were right before and are wrong now; lower is better"
        tiles.append(Tile("Negative flips", f"{max(flips):.1f}", "%", "on the worst older gallery", says))
    if newest and report.am is not None and len(tiles) < 6:
        says = "mean Recall@1 over own and older galleries; higher is better"
        tiles.append(Tile("AM", f"{report.am:.1f}", "%", "", says))
    if report.images_per_second is not None and len(tiles) < 6:
        says = "images learned from in a second, on the machine below"
        tiles.append(Tile("Training speed", f"{report.images_per_second:,.0f}", "images/s", "", says))
    return tiles


def _pairs_tile(report: Report, newest: int) -> Tile:
    marks = [mark(report, i, j) for i in range(newest + 1) for j in range(i)]
    good, close, bad = (marks.count(each) for each in ("compatible", "undecided", "incompatible"))
    notes = [f"{close} undecided"] if close else []
    held = [cascade_of(report, i, j) for i in range(newest + 1) for j in range(i)]
    if any(held):
        notes.append(f"{sum(each is not None for each in held)} more in a cascade")
    if report.ac is not None:
        notes.append(f"AC {report.ac:.2f}")
        notes += [f"{report.ac_raw:.2f} without adapters"] if report.ac_raw is not None else []
    tone = "incompatible" if bad else "compatible" if good == len(marks) else "undecided"
    says = "a newer version searches an older gallery better than that one does itself; all is best"
    return Tile("Compatible pairs", f"{good}", f"of {len(marks)}", ", ".join(notes), says, tone)


def _cells(report: Report) -> list[list[Cell]]:
    return [
        [_cell(report, i, j, value) for j, value in enumerate(row)]
        for i, row in enumerate(report.recall_at_1)
    ]


def _heat(report: Report, i: int, j: int, value: float) -> int:
    """How far the pair is from what it has to beat: 0 for a tie, 100 from 20 points on."""
    reference = report.recall_at_1[min(i, j)][min(i, j)]
    return 0 if reference is None else min(100, round(5 * abs(value - reference)))


def _on_codes(report: Report) -> Report:
    """The report of the matrix on codes."""
    codes = report.codes
    measured = {name: codes[name] for name in ("versions", "recall_at_1", "intervals", "compatible")}
    return replace(report, **measured, recall_at_1_raw=None, adapters=[], cascades=[])


def _cell(report: Report, i: int, j: int, value: float | None) -> Cell:
    if value is None:
        return Cell(hover="not measured")
    bounds, comparison = _at(report.intervals, i, j), comparison_of(report, i, j)
    older = report.versions[min(i, j)]
    hover = f"queries by {report.versions[i]}, gallery by {report.versions[j]}: {value:.2f} %"
    difference = ""
    adapted = bool(_at(report.adapters, i, j))
    if adapted:
        raw = _at(report.recall_at_1_raw or [], i, j)
        hover += " through an adapter" + (f", {raw:.2f} % without" if raw is not None else "")
    if i != j:
        reference = report.recall_at_1[min(i, j)][min(i, j)]
        if comparison is not None:
            difference = signed(comparison["difference"], plus=True)
            bound = [signed(comparison[key], 2, plus=True) for key in ("low", "high")]
            hover += (
                f"; {signed(comparison['difference'], 2, plus=True)} against {older} by itself "
                f"(95 % interval {bound[0]} to {bound[1]})"
            )
        elif reference is not None:
            difference = signed(value - reference, plus=True)
    cascade = cascade_of(report, i, j)
    if cascade is not None:
        hover += f"; in a cascade of {cascade['candidates']}: {cascade['value']:.2f} %"
    return Cell(
        text=f"{value:.1f}",
        interval=f"{bounds[0]:.1f} to {bounds[1]:.1f}" if bounds else "",
        mark=mark(report, i, j),
        difference=difference,
        hover=hover,
        heat=_heat(report, i, j, value),
        adapted=adapted,
        cascade="" if cascade is None else signed(cascade["difference"], plus=True),
    )


def _curves(report: Report) -> list[tuple[str, str, Markup]]:
    """Heading, explanation and figure of every curve that has at least two versions to connect."""
    versions, last = report.versions, len(report.versions) - 1
    if last < 1:
        return []
    newest = versions[last]
    charts = [
        (
            f"Every gallery, by itself and by {newest}",
            f"Where the line of {newest} is above the other by more than chance, which the matrix marks with "
            "\N{CHECK MARK}, nobody has to re-embed that gallery. "
            "The bands are 95\N{NO-BREAK SPACE}% intervals.",
            line_chart(versions, _upgrade_lines(report), "Recall@1 by gallery", "gallery embedded by"),
        ),
        (
            "Each gallery, as newer versions ask",
            "The first point of a line is the gallery searched by its own version; "
            "what follows should stay above it.",
            line_chart(versions, _gallery_lines(report), "Recall@1 by query version", "queries by"),
        ),
    ]
    tasks = report.per_task_recall_at_1
    if len(tasks) > 1 and tasks[0]:
        lines = [
            Series(f"task {t + 1}", [row[t] for row in tasks], ramp(t, len(tasks[0])))
            for t in range(len(tasks[0]))
        ]
        charts.append(
            (
                "What is remembered of every task",
                "Recall@1 on the held-out images of each task, version after version. "
                "A falling line is a task that is being forgotten.",
                line_chart(versions[-len(tasks) :], lines, "Recall@1 by task", "version"),
            )
        )
    if last > 1:
        lines = [
            Series("AC", [_ac_until(report.recall_at_1, i) for i in range(last + 1)], "var(--series-1)"),
            Series("AM", [_am_until(report.recall_at_1, i) for i in range(last + 1)], "var(--series-2)"),
        ]
        charts.append(
            (
                "Compatibility as versions are added",
                "AC: the share of compatible pairs by then. AM: the mean Recall@1 so far.",
                line_chart(versions, lines, "AC and AM by version", "newest version"),
            )
        )
    for name, values in report.history.items():
        line = Series("", values, "var(--series-1)")
        charts.append((_words(name), "", line_chart(versions, [line], _words(name), "version")))
    return [chart for chart in charts if chart[2]]


def _upgrade_lines(report: Report) -> list[Series]:
    last = len(report.versions) - 1
    own = [row[i] for i, row in enumerate(report.recall_at_1)]
    own_bounds = [_at(report.intervals, i, i) for i in range(last + 1)]
    cross = [*report.recall_at_1[last][:last], None]
    cross_bounds = [_at(report.intervals, last, j) for j in range(last)]
    return [
        Series("by itself", own, "var(--series-1)", own_bounds),
        Series(f"by {report.versions[last]}", cross, "var(--series-2)", cross_bounds),
    ]


def _gallery_lines(report: Report) -> list[Series]:
    count = len(report.versions)
    return [
        Series(
            f"{name} gallery",
            [row[j] if i >= j else None for i, row in enumerate(report.recall_at_1)],
            ramp(j, count),
        )
        for j, name in enumerate(report.versions)
    ]


def _ac_until(matrix: Matrix, newest: int) -> float | None:
    """AC, percent, of the versions up to `newest`; None where a pair was not measured."""
    rows = _lower(matrix, newest)
    share = average_compatibility(rows) if rows else None
    return None if share is None else 100.0 * share


def _am_until(matrix: Matrix, newest: int) -> float | None:
    rows = _lower(matrix, newest)
    return average_multimodel_accuracy(rows) if rows else None


def _lower(matrix: Matrix, newest: int) -> list[list[float]]:
    """The lower triangle up to `newest`, or nothing where a figure is missing."""
    rows = [[v for v in row[: i + 1] if v is not None] for i, row in enumerate(matrix[: newest + 1])]
    return rows if all(len(row) == i + 1 for i, row in enumerate(rows)) else []


def _mixed_chart(report: Report) -> Markup:
    mixed = report.mixed
    values = mixed.get("recall_at_1") or []
    names = mixed.get("versions") or report.versions[-len(values) :]
    if len(names) < 2:
        return Markup("")
    intervals = mixed.get("intervals") or [None] * len(values)
    bars = [
        Bar(
            f"queries by {name}",
            value,
            bounds,
            "var(--strong-bar)" if i == len(values) - 1 else "var(--muted-bar)",
        )
        for i, (name, value, bounds) in enumerate(zip(names, values, intervals, strict=False))
        if value is not None
    ]
    references = [
        (label, mixed[key])
        for label, key in (
            (f"{names[0]} on its own gallery:", "oldest_self"),
            (f"{names[-1]} on a gallery embedded anew:", "newest_self"),
        )
        if mixed.get(key) is not None
    ]
    if report.mixed_raw is not None:
        references.append((f"{names[-1]} without adapters:", report.mixed_raw))
    if any(mixed.get("shifts") or ()):
        references.append((f"{names[-1]} without calibration:", mixed["uncalibrated"]))
    return bar_chart(bars[::-1], references, "Recall@1 over a gallery embedded by all versions")


def _examples(examples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "picture": _picture(example["query_png"]),
            "label": example["query_label"],
            "hits": [{**hit, "picture": _picture(hit["png"])} for hit in example["hits"]],
        }
        for example in examples
    ]


def _picture(png: bytes | str) -> str:
    """A data URI from PNG bytes, their base64, or a data URI."""
    if isinstance(png, str):
        return png if png.startswith("data:") else f"data:image/png;base64,{png}"
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _tables(report: Report) -> list[tuple[str, list[list[str]]]]:
    """The matrices that are not drawn, as text."""
    tables: list[tuple[str, Matrix | None, float]] = [
        ("Recall@1 without adapters, percent", report.recall_at_1_raw, 1.0),
        ("Recall@5, percent", report.recall_at_5, 1.0),
        ("mAP@R, percent", report.map_at_r, 1.0),
        ("Negative flips, percent of all queries", report.negative_flips, 1.0),
        (f"Update gain against {report.control or 'the control'}, percent", report.update_gain, 100.0),
    ]
    return [
        (title, [["" if v is None else signed(scale * v) for v in row] for row in matrix])
        for title, matrix, scale in tables
        if matrix and len(matrix) == len(report.versions)
    ]


def _at(table: Sequence[Sequence[Any]], i: int, j: int) -> Any:
    return table[i][j] if i < len(table) and j < len(table[i]) else None


def _words(key: str) -> str:
    return key.replace("_", " ").replace("gib", "GiB")
