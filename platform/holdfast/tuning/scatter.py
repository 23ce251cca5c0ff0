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
    dot = (
        f'<circle class="trial {kind}" cx="{x:.1f}" cy="{y:.1f}" r="{6 if trial.pareto else 4.5}">'
        f"<title>{escape(hover)}</title></circle>"
    )
    if trial.number == 0:
        return dot + _text(x + 9, y - 7, "as it stands", "label", "start")
    return dot + (_text(x + 9, y - 7, f"{trial.number}", "label", "start") if trial.pareto else "")


def _text(x: float, y: float, words: str, kind: str, anchor: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
