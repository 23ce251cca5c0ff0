import re
from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from holdfast.evaluation.charts import Bar, Series, _ticks, bar_chart, line_chart, ramp

percent = st.floats(0, 100)


@given(percent, percent)
def test_ticks_are_round_and_cover_the_values(a, b):
    low, high = sorted((a, b))
    ticks = _ticks(low, high)
    assert 2 <= len(ticks) <= 8
    assert ticks[0] <= low + 1e-6
    assert ticks[-1] >= high - 1e-6
    assert ticks == sorted(set(ticks))


@given(st.lists(st.lists(st.none() | percent, min_size=4, max_size=4), min_size=1, max_size=12))
def test_every_value_is_a_dot_inside_the_figure_and_labels_do_not_overlap(rows):
    lines = [Series(f"line {i}", row, ramp(i, len(rows))) for i, row in enumerate(rows)]
    figure = line_chart(["v1", "v2", "v3", "v4"], lines, "title", "x")
    known = [v for row in rows for v in row if v is not None]
    if not known:
        assert figure == ""
        return
    svg = ElementTree.fromstring(str(figure))
    dots = svg.findall("circle")
    assert len(dots) == len(known)
    assert all(0 <= float(d.get("cx")) <= 500 and 0 <= float(d.get("cy")) <= 290 for d in dots)
    labels = sorted(float(t.get("y")) for t in svg.findall("text") if t.get("class") == "label")
    assert len(labels) == sum(any(v is not None for v in row) for row in rows)
    assert all(b - a > 13.9 for a, b in pairwise(labels))
    assert all(0 < y < 290 for y in labels)


def test_a_band_needs_two_points_and_names_are_escaped():
    bounds = [[40.0, 60.0], [50.0, 70.0]]
    figure = str(line_chart(["a", "b"], [Series("<b>", [50.0, 60.0], "red", bounds)], "<i>", "x & y"))
    ElementTree.fromstring(figure)
    assert figure.count('class="band"') == 1
    assert "<b>" not in figure
    single = str(line_chart(["a", "b"], [Series("x", [50.0, None], "red", bounds)], "t", "x"))
    assert 'class="band"' not in single


def test_bars_are_as_long_as_their_values():
    bars = [Bar("one", 20.0, [18.0, 22.0], "red"), Bar("two", 40.0, None, "red")]
    figure = str(bar_chart(bars, [("low", 10.0), ("high", 40.0)], "title"))
    svg = ElementTree.fromstring(figure)
    short, long = (float(r.get("width")) for r in svg.findall("rect"))
    assert 2 * short == long or abs(2 * short - long) < 0.2
    assert len(re.findall('class="reference"', figure)) == 2
    assert bar_chart([], [], "title") == ""


def test_an_axis_that_does_not_begin_at_zero_says_so() -> None:
    high = line_chart(["v1", "v2"], [Series("a", [91.0, 97.0], "red")], "t", "x")
    assert "begins at 90" in high
    assert 'class="break"' in high
    low = line_chart(["v1", "v2"], [Series("a", [20.0, 97.0], "red")], "t", "x")
    assert ">0<" in low
    assert "begins at" not in low


def test_what_hardly_differs_does_not_fill_the_height() -> None:
    flat = line_chart(["v1", "v2"], [Series("a", [99.99, 100.0], "red")], "t", "x")
    assert "begins at 94" in flat
