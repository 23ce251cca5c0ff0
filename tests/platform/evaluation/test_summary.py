import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.evaluation import Report
from holdfast.evaluation.summary import listed, mark, mixed_sentence, verdict


def report(last: list[float], own: float = 70.0, decided: bool = True) -> Report:
    """Older versions at 50 % by themselves; `last` is what the newest reaches on each of their galleries."""
    count = len(last) + 1
    matrix = [[50.0] * count for _ in range(count)]
    matrix[-1] = [*last, own]
    pair = lambda value: {  # noqa: E731
        "value": value, "reference": 50.0, "difference": value - 50.0, "low": -1.0, "high": 1.0,
        "compatible": value > 50.0, "decided": decided,
    }  # fmt: skip
    return Report(
        name="x",
        versions=[f"v{i + 1}" for i in range(count)],
        recall_at_1=matrix,
        map_at_r=matrix,
        compatible=[[pair(value) for value in row] for row in matrix],
    )


@pytest.mark.parametrize(
    ("last", "sentence", "tone"),
    [
        ([], "v1 is the first version", "plain"),
        ([60], "v2 searches the older gallery better than it searches itself: no backfill", "good"),
        ([60, 61], "v3 searches all 2 older galleries better than they search themselves: no b", "good"),
        ([40], "v2 searches the older gallery worse than it searches itself", "bad"),
        ([40, 50], "v3 searches none of the older galleries better", "bad"),
        (
            [40, 60, 45],
            "v4 searches 1 of 3 older galleries better than they search themselves; "
            "entries embedded by v1 and v3 need a backfill first.",
            "warning",
        ),
    ],
)
def test_the_first_sentence_says_whether_a_backfill_is_needed(last, sentence, tone):
    words, kind = verdict(report(last))
    assert words.startswith(sentence)
    assert kind == tone


@pytest.mark.parametrize(
    ("last", "candidates", "sentence", "tone"),
    [
        (
            [40],
            [10],
            "v2 searches the older gallery worse than it searches itself, and better in a cascade of 10 "
            "images: serve it where these can be read, or re-embed.",
            "warning",
        ),
        (
            [40, 41],
            [10, 50],
            "v3 searches none of the older galleries better than they search themselves; entries embedded "
            "by v1 and v2 hold in cascades of up to 50 images.",
            "warning",
        ),
        (
            [40, 60, 45],
            [10, 0, 0],
            "v4 searches 1 of 3 older galleries better than they search themselves; entries embedded by v1 "
            "hold in a cascade of 10 images and those by v3 need a backfill first.",
            "warning",
        ),
        ([40, 41], [0, 0], "v3 searches none of the older galleries better", "bad"),
    ],
)
def test_the_first_sentence_says_what_holds_in_a_cascade(last, candidates, sentence, tone):
    cascades = [
        {"candidates": each, "compatible": True, "decided": True, "difference": 3.0} if each else None
        for each in candidates
    ]
    rows = [[None] * (len(last) + 1) for _ in last]
    words, kind = verdict(replace(report(last), cascades=[*rows, [*cascades, None]]))
    assert words.startswith(sentence)
    assert kind == tone
    # Within chance it is no remedy.
    undecided = [each and {**each, "decided": False} for each in cascades]
    words, kind = verdict(replace(report(last), cascades=[*rows, [*undecided, None]]))
    assert "cascade" not in words


def test_a_difference_within_the_uncertainty_is_said_to_be_so():
    assert verdict(report([50.5, 51], decided=False)) == (
        "Beside how the 2 older galleries search themselves, v3 is better on none, worse on none, undecided "
        "on 2 (v1 and v2, within the uncertainty of this test): no entries are shown to need a backfill.",
        "warning",
    )
    assert verdict(report([50.5], decided=False)) == (
        "Whether v2 searches the older gallery better than it searches itself is undecided: the difference "
        "is within the uncertainty of this test.",
        "warning",
    )


CELL = st.tuples(st.floats(-40, 40), st.floats(0, 15))


@given(st.lists(CELL | st.none(), min_size=1, max_size=6))
def test_the_first_sentence_is_true_of_every_cell(cells):
    """Whatever the differences to the older versions and the half widths of their intervals are."""
    count = len(cells) + 1
    last = [None if cell is None else 50.0 + cell[0] for cell in cells]
    pairs = [
        None
        if cell is None
        else {
            "value": 50.0 + cell[0], "reference": 50.0, "difference": cell[0], "low": cell[0] - cell[1],
            "high": cell[0] + cell[1], "compatible": cell[0] > 0, "decided": abs(cell[0]) > cell[1],
        }
        for cell in cells
    ]  # fmt: skip
    matrix = [[50.0] * count for _ in range(count)]
    matrix[-1] = [*last, 70.0]
    one = replace(report([50.0] * len(cells)), recall_at_1=matrix, compatible=[*[[]] * len(cells), pairs])
    words, tone = verdict(one)
    names = [f"v{j + 1}" for j in range(len(cells))]
    better = [name for name, pair in zip(names, pairs, strict=True) if pair and pair["low"] > 0]
    worse = [name for name, pair in zip(names, pairs, strict=True) if pair and pair["high"] < 0]
    assert ("no backfill needed" in words) == (better == names) == (tone == "good")
    assert ("re-embed before" in words) == (worse == names) == (tone == "bad")
    claims = re.search(r"entries embedded by (.*) need a backfill first", words)
    if claims or ("re-embed" not in words):
        assert (re.findall(r"v\d", claims[1]) if claims else []) == worse
    if "better on" in words:
        for group, said in (("better", better), ("worse", worse)):
            assert f"{group} on {f'{len(said)} ({listed(said)})' if said else 'none'}" in words
    for number, total in re.findall(r"searches (\d+) of (\d+) older galleries better", words):
        assert (int(number), int(total), len(better) + len(worse)) == (len(better), len(names), len(names))
    if "all" in words.split():
        assert better == names


@pytest.mark.parametrize(
    ("difference", "decided", "said"),
    [
        (4.0, True, "more than the 50.0 %"),
        (-4.0, True, "less than the 50.0 %"),
        (4.0, False, "within the uncertainty of this test as many as the 50.0 %"),
        (-4.0, False, "within the uncertainty of this test as many as the 50.0 %"),
    ],
)
def test_the_mixed_gallery_is_more_or_less_only_if_that_is_decided(difference, decided, said):
    against = {"difference": difference, "low": -1.0, "high": 1.0, "decided": decided}
    mixed = {
        "recall_at_1": [50.0, 50.0 + difference], "oldest_self": 50.0, "newest_self": 80.0,
        "against_oldest": against,
    }  # fmt: skip
    assert said in mixed_sentence(replace(report([60]), mixed=mixed))


def test_marks():
    clear, close = report([60, 40]), report([60, 40], decided=False)
    assert [mark(clear, 2, j) for j in range(3)] == ["compatible", "incompatible", "self"]
    assert [mark(close, 2, j) for j in range(2)] == ["undecided", "undecided"]


def test_without_comparisons_the_matrix_decides_and_holes_have_no_mark():
    matrix = [[50.0, None], [50.0, 60.0]]
    bare = Report(name="x", versions=["v1", "v2"], recall_at_1=matrix, map_at_r=matrix)
    assert mark(bare, 1, 0) == "incompatible"  # a tie
    assert mark(bare, 0, 1) == ""
    assert verdict(bare)[1] == "bad"


def test_lists_of_names():
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("cross", "decided", "ending", "tone"),
    [
        (60, True, "nothing is re-embedded for v3", "good"),
        (60, False, "within the uncertainty", "warning"),
        (40, True, "it may not search the entries of v2", "bad"),
    ],
)
def test_a_distilled_version_is_told_beside_its_source(cross, decided, ending, tone):
    found = verdict(replace(report([30, cross], 55.0, decided), distilled_from="v2"))
    assert found[0].startswith(
        f"v3, distilled from v2, answers {cross:.1f} % right in the gallery of v2: {cross / 50:.1%} of what "
        "v2 itself does, and 55.0 % in a gallery of its own."
    )
    assert ending in found[0]
    assert found[1] == tone
