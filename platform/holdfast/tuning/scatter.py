"""Trials by both their figures, as inline SVG coloured by the page's CSS variables."""

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from holdfast.tuning.record import Trial
from holdfast.tuning.space import named

_WIDTH, _HEIGHT = 640.0, 400.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 24.0, 16.0, 48.0
_MARGIN = 0.06  # of the span, around the outermost trials
_LEAST_SPAN = 2.0  # points
_LEVELS = 5
_DOT, _LETTER, _LINE = 6.0, 7.0, 14.0
"""Half of a dot, and about the size of a letter."""
_Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""


def scatter(trials: Sequence[Trial]) -> Markup:
    """Self over cross, Recall@1 in percent: whole trials filled, those that stopped early hollow (theirs are
    of fewer tasks), the front joined. Axes begin near the worst trial. Empty without trials."""
    shown = [trial for trial in trials if trial.error is None and trial.last is not None]
    if not shown:
        return Markup("")
    across = _Axis([_figures(trial)[0] for trial in shown], _LEFT, _WIDTH - _RIGHT)
    up = _Axis([_figures(trial)[1] for trial in shown], _HEIGHT - _BOTTOM, _TOP)
    parts = [f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="Self- and cross-test">']
    for value in across.ticks:
        x = across.at(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
        parts.append(_text(x, _HEIGHT - _BOTTOM + 18, f"{value:g}", "tick", "middle"))
    for value in up.ticks:
        y = up.at(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{value:g}", "tick", "end"))
    parts.append(
        _text(
            (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, "self: its own gallery, Recall@1 %", "axis", "middle"
        )
    )
    parts.append(_text(_LEFT + 6, _TOP + 12, "cross: older galleries, Recall@1 %", "axis", "start"))
    front = sorted(_figures(trial) for trial in shown if trial.pareto)
    if len(front) > 1:
        path = " ".join(f"{across.at(own):.1f},{up.at(cross):.1f}" for own, cross in front)
        parts.append(f'<polyline class="front" points="{path}"/>')
    for trial in sorted(shown, key=lambda trial: (trial.pareto, trial.number == 0)):
        parts.append(_dot(trial, across, up))
    named_ones = [trial for trial in shown if trial.pareto or trial.number == 0]
    parts += _labels(
        [
            (across.at(own), up.at(cross), str(trial.number) if trial.number else "as it stands")
            for trial in named_ones
            for own, cross in [_figures(trial)]
        ]
    )
    parts.append("</svg>")
    return Markup("".join(parts))


class _Axis:
    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        low, high = min(values), max(values)
        spare = max(_LEAST_SPAN - (high - low), 0.0) / 2 + _MARGIN * (high - low)
        self._low, self._high = low - spare, high + spare
        self._start, self._end = start, end

    @property
    def ticks(self) -> list[float]:
        """Round values, about five of them."""
        rough = (self._high - self._low) / _LEVELS
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
        first = math.ceil(self._low / step)
        return [step * number for number in range(first, math.floor(self._high / step) + 1)]

    def at(self, value: float) -> float:
        return self._start + (self._end - self._start) * (value - self._low) / (self._high - self._low)


def _figures(trial: Trial) -> tuple[float, float]:
    assert trial.last is not None
    return trial.last.own, trial.last.cross


def _dot(trial: Trial, across: _Axis, up: _Axis) -> str:
    own, cross = _figures(trial)
    x, y = across.at(own), up.at(cross)
    kind = "best" if trial.pareto else trial.state
    early = f", stopped after {trial.tasks} tasks" if trial.state == "stopped" else ""
    values = ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {named(value)}"
        for key, value in trial.values.items()
    )
    hover = f"trial {trial.number}{early}: self {own:.2f}, cross {cross:.2f}; {values}"
    return (
        f'<circle class="trial {kind}" cx="{x:.1f}" cy="{y:.1f}" r="{6 if trial.pareto else 4.5}">'
        f"<title>{escape(hover)}</title></circle>"
    )


def _labels(points: Sequence[tuple[float, float, str]]) -> list[str]:
    """Names beside their points, each where it lies over the fewest other points and names."""
    taken = [(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y, _ in points]
    parts = []
    for x, y, name in points:
        wide = _LETTER * len(name)
        places = [
            (left, y + down, left + wide, y + down + _LINE)
            for down in (-_LINE - 2, 2, -_LINE - 10, 10)
            for left in (x + 9, x - 9 - wide)
            if left >= _LEFT and left + wide <= _WIDTH
        ]
        box = min(places, key=lambda place: sum(_overlap(place, other) for other in taken))
        taken.append(box)
        parts.append(_text(box[0], box[3] - 4, name, "label", "start"))
    return parts


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _text(x: float, y: float, words: str, kind: str, anchor: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
