from dataclasses import replace

import pytest

from holdfast.evaluation import Report
from holdfast.evaluation.summary import listed, mark, verdict


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


def test_a_difference_within_the_uncertainty_is_said_to_be_so():
    words, tone = verdict(report([50.5, 51], decided=False))
    assert "no backfill needed" in words
    assert "For v1 and v2 the difference is within the uncertainty" in words
    assert tone == "warning"


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
