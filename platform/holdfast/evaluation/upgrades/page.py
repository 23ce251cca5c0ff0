"""The page of a verdict: what each part of the template shows."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from holdfast.base import dump_yaml, duration
from holdfast.evaluation.report import plain
from holdfast.evaluation.summary import signed
from holdfast.evaluation.upgrades.picture import picture_of
from holdfast.evaluation.upgrades.verdict import Cost, Line, Verdict
from holdfast.evaluation.upgrades.ways import CEILING, STATUS_QUO


@dataclass(frozen=True)
class Row:
    """One way, as text. `mark` is one of the report's: compatible, undecided, incompatible."""

    way: str
    value: str
    difference: str
    interval: str
    mark: str
    images: str
    seconds: str
    bytes: str
    milliseconds: str


TRUTHS = {
    "labels": "class labels: the nearest entry is right if it has the query's class",
    "pairs": "relevance pairs: the nearest entry is right if the pairs name it for the query",
    "views": "distorted views: the nearest entry is right if the query is a distorted copy of its image",
    "agreement": "agreement: the nearest entry is right if the new version's own ranking has it first",
}


def render_verdict(verdict: Verdict) -> str:
    """The whole page as HTML with its styles and its picture inside; it loads nothing."""
    picture = base64.b64encode(picture_of(verdict)).decode("ascii")
    return _template().render(
        verdict=verdict,
        rows=rows_of(verdict.lines),
        back=rows_of(verdict.back),
        agreement=rows_of(verdict.agreement),
        truth=TRUTHS[verdict.truth],
        picture=f"data:image/png;base64,{picture}",
        thresholds=[_threshold(each.as_dict()) for each in verdict.thresholds],
        adapter=dump_yaml(plain(verdict.adapter)) if verdict.adapter else "",
        choice=[(_named(rival["adapter"]), f"{rival['score']:.4f}") for rival in verdict.choice],
        seconds=[(key, f"{value:,.1f}") for key, value in verdict.seconds.items()],
        machine=[
            (key.replace("_", " "), value) for key, value in verdict.machine.items() if value is not None
        ],
    )


def rows_of(lines: Sequence[Line]) -> list[Row]:
    """The table of the ways, for a page or a terminal."""
    return [_row(line) for line in lines]


@cache
def _template() -> Template:
    return Environment(
        loader=PackageLoader("holdfast.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("verdict.html.j2")


def _row(line: Line) -> Row:
    found, cost = line.figure.comparison, line.cost
    itself, is_way = line.way == STATUS_QUO, line.way not in (STATUS_QUO, CEILING)
    mark = "compatible" if line.figure.is_better else "incompatible" if line.figure.is_worse else "undecided"
    return Row(
        way=str(line.way),
        value=f"{found.value:.1f}",
        difference="" if itself else signed(found.difference, plus=True),
        interval="" if itself else f"{signed(found.low, plus=True)} to {signed(found.high, plus=True)}",
        mark=mark if is_way else "",
        images=_images(line),
        seconds=_seconds(cost),
        bytes=_bytes(cost.bytes),
        milliseconds="" if cost.milliseconds is None else _milliseconds(cost.milliseconds),
    )


def _milliseconds(value: float) -> str:
    return "< 0.1" if value < 0.1 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _images(line: Line) -> str:
    if line.way.kind == "ceiling":
        return ""
    return f"≤ {line.cost.images:,}/query" if line.way.kind == "cascade" else f"{line.cost.images:,}"


def _seconds(cost: Cost) -> str:
    if cost.seconds is None or not cost.images:
        return ""
    return duration(cost.seconds)


def _bytes(count: int) -> str:
    if not count:
        return ""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} B"


def _threshold(found: dict[str, Any]) -> list[str]:
    cells = [f"{100 * found['rate']:g} %"]
    for name in ("old", "adapted", "new"):
        share = found[f"{name}_found"]
        cells.append(f"{found[name]:.3f}" + ("" if share is None else f" ({100 * share:.1f} %)"))
    return cells


def _named(config: dict[str, Any] | None) -> str:
    if config is None:
        return "as they are"
    return ", ".join(f"{key} {value}" for key, value in config.items())
