"""The report's figures as inline SVG, coloured by the page's CSS variables so that they follow its theme."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

Values = Sequence[float | None]
Bounds = Sequence[Sequence[float] | None]

_WIDTH, _HEIGHT = 500.0, 290.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 38.0, 92.0, 12.0, 40.0
_LABEL_GAP = 14.0
_NAMES = 12  # below the x axis
_LEAST_SPAN = 5.0  # of the y axis, in points


@dataclass(frozen=True)
class Series:
    """One line: a value a point of the x axis, None where there is none; `bounds` draws a band around it."""

    name: str
    values: Values
    colour: str  # any CSS colour, such as "var(--series-1)"
    bounds: Bounds = ()
    dashed: bool = False


@dataclass(frozen=True)
class Bar:
    """One horizontal bar with its interval."""

    name: str
    value: float
    interval: Sequence[float] | None
    colour: str


def ramp(step: int, steps: int) -> str:
    """The colour of one of `steps` things that have an order, such as tasks: pale to deep."""
    share = 100 if steps < 2 else round(100 * step / (steps - 1))
    return f"color-mix(in oklab, var(--ramp-last) {share}%, var(--ramp-first))"


def line_chart(
    x: Sequence[str], series: Sequence[Series], title: str, x_title: str, digits: int = 1
) -> Markup:
    """Lines over a categorical x axis, in percent, each named at its right end. Empty without any value.

    An axis that does not begin at zero says so, and is broken at its foot: heights compare only above that.
    """
    known = [v for s in series for v in s.values if v is not None]
    known += [v for s in series for bound in s.bounds if bound for v in bound]
    if not known:
        return Markup("")
    # Where zero is near, the axis begins there; what hardly differs does not fill the height.
    least = min(min(known), max(known) - _LEAST_SPAN)
    ticks = _ticks(0.0 if min(known) >= 0 and least < 0.4 * max(known) else least, max(known))
    low, high = ticks[0], ticks[-1]
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def across(i: int) -> float:
        return _LEFT + (inner_width / 2 if len(x) == 1 else inner_width * i / (len(x) - 1))

    def up(value: float) -> float:
        return _TOP + inner_height * (high - value) / (high - low)

    parts = [_open(title, _WIDTH, _HEIGHT)]
    for tick in ticks:
        y = up(tick)
        parts.append(
            f'<line class="grid" x1="{_LEFT:.1f}" x2="{_WIDTH - _RIGHT:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(_text(_LEFT - 8, y + 4, f"{tick:g}", "tick", "end"))
    if low > 0:
        parts.append(_break(_HEIGHT - _BOTTOM, f"begins at {low:g}"))
    for i, label in enumerate(x):
        # Names that would run into one another are left out, from the newest one back.
        if (len(x) - 1 - i) % math.ceil(len(x) / _NAMES) == 0:
            parts.append(_text(across(i), _HEIGHT - _BOTTOM + 18, label, "tick", "middle"))
    parts.append(_text(_LEFT + inner_width / 2, _HEIGHT - 4, x_title, "axis", "middle"))
    for one in series:
        parts.append(_band(one, across, up))
    ends = []
    for one in series:
        points = [(across(i), up(v), i, v) for i, v in enumerate(one.values) if v is not None]
        if not points:
            continue
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py, _, _ in points)
        dash = ' stroke-dasharray="5 4"' if one.dashed else ""
        parts.append(f'<polyline class="line" style="stroke:{one.colour}"{dash} points="{path}"/>')
        for px, py, i, v in points:
            parts.append(
                f'<circle class="dot" style="fill:{one.colour}" cx="{px:.1f}" cy="{py:.1f}" r="3.5">'
                f"<title>{escape(one.name)}, {escape(x[i])}: {v:.{digits}f}</title></circle>"
            )
        ends.append((points[-1][0], points[-1][1], one))
    parts += _end_labels(ends)
    parts.append("</svg>")
    return Markup("".join(parts))


def bar_chart(bars: Sequence[Bar], references: Sequence[tuple[str, float]], title: str) -> Markup:
    """Horizontal bars from zero, in percent, with named vertical reference lines across them."""
    if not bars:
        return Markup("")
    left, right, row, top = 118.0, 24.0, 32.0, 10.0 + 19.0 * len(references)
    width, bottom = 970.0, top + row * len(bars)
    values = (
        [b.value for b in bars] + [v for _, v in references] + [b.interval[1] for b in bars if b.interval]
    )
    ticks = _ticks(0.0, max([*values, 1e-6]))
    scale = (width - left - right) / ticks[-1]
    parts = [_open(title, width, bottom + 26.0)]
    for tick in ticks:
        x = left + tick * scale
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>')
        parts.append(_text(x, bottom + 18, f"{tick:g}", "tick", "middle"))
    for i, bar in enumerate(bars):
        parts += _bar(bar, left, top + row * i + 7, scale)
    # The highest on top: the line of a lower one then starts below its name and does not cross it.
    for i, (name, value) in enumerate(sorted(references, key=lambda reference: -reference[1])):
        x, y, words = left + value * scale, 14.0 + 19.0 * i, f"{name} {value:.1f}"
        parts.append(
            f'<line class="reference" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 10:.1f}" y2="{bottom:.1f}"/>'
        )
        rightward = (i == 0 and width - x > 7.0 * len(words)) or x - left < 7.0 * len(words)
        parts.append(_text(x + (7 if rightward else -7), y, words, "axis", "start" if rightward else "end"))
    parts.append("</svg>")
    return Markup("".join(parts))


def _bar(bar: Bar, x: float, y: float, scale: float) -> list[str]:
    hover = f"{bar.name}: {bar.value:.1f}"
    parts = [_text(x - 10, y + 13, bar.name, "label", "end")]
    if bar.interval:
        hover += f", 95 % interval {bar.interval[0]:.1f} to {bar.interval[1]:.1f}"
    parts.append(
        f'<rect style="fill:{bar.colour}" x="{x:.1f}" y="{y:.1f}" width="{max(bar.value * scale, 1.0):.1f}" '
        f'height="18" rx="3"><title>{escape(hover)}</title></rect>'
    )
    if bar.interval:
        low, high = (x + v * scale for v in bar.interval)
        caps = f"M{low:.1f} {y + 5:.1f}v8M{high:.1f} {y + 5:.1f}v8"
        parts.append(f'<path class="whisker" d="M{low:.1f} {y + 9:.1f}H{high:.1f}{caps}"/>')
    parts.append(_text(x + 8, y + 13.5, f"{bar.value:.1f}", "inbar", "start"))
    return parts


def _open(title: str, width: float, height: float) -> str:
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}">'


def _break(y: float, words: str) -> str:
    """The foot of an axis that does not begin at zero."""
    zigzag = f"M{_LEFT:.1f} {y - 17:.1f}v3l4 2l-8 3l8 3l-4 2v4"
    return f'<path class="break" d="{zigzag}"/>' + _text(_LEFT + 10, y + 33, words, "break", "start")


def _text(x: float, y: float, words: str, kind: str, anchor: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _band(one: Series, across: Callable[[int], float], up: Callable[[float], float]) -> str:
    points = [
        (across(i), up(bound[0]), up(bound[1]))
        for i, (bound, value) in enumerate(zip(one.bounds, one.values, strict=False))
        if bound and value is not None
    ]
    if len(points) < 2:
        return ""
    outline = [f"{x:.1f},{high:.1f}" for x, _, high in points]
    outline += [f"{x:.1f},{low:.1f}" for x, low, _ in reversed(points)]
    return f'<polygon class="band" style="fill:{one.colour}" points="{" ".join(outline)}"/>'


def _end_labels(ends: list[tuple[float, float, Series]]) -> list[str]:
    """Names at the lines' right ends, pushed apart where they would overlap, each tied to its line."""
    placed: list[float] = []
    for _, y, _ in sorted(ends, key=lambda end: end[1]):
        placed.append(max(y, placed[-1] + _LABEL_GAP) if placed else y)
    overflow = placed[-1] - (_HEIGHT - _BOTTOM) if placed else 0.0
    if overflow > 0:  # move the lowest up, and whatever they push against
        limit = math.inf
        for i in reversed(range(len(placed))):
            placed[i] = min(placed[i], limit, _HEIGHT - _BOTTOM)
            limit = placed[i] - _LABEL_GAP
    parts = []
    x = _WIDTH - _RIGHT + 18
    for y, (px, py, one) in zip(placed, sorted(ends, key=lambda end: end[1]), strict=True):
        parts.append(
            f'<path class="stub" style="stroke:{one.colour}" d="M{px + 5:.1f} {py:.1f}L{x - 4:.1f} {y:.1f}"/>'
            + _text(x, y + 4, one.name, "label", "start")
        )
    return parts


def _ticks(low: float, high: float) -> list[float]:
    """Round values that cover [low, high], about five of them."""
    span = max(high - low, 1e-3)
    rough = span / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]
