"""Rows and their bounds."""

from experiments.benchmarks.harness import rows


def test_rows_hold_their_bounds_by_the_median() -> None:
    assert rows.at_most("a", [1, 9, 2], "s", 2).held
    assert not rows.at_most("a", [1, 9, 3], "s", 2).held
    assert rows.at_least("a", [1.0, 2.0, 9.0], "times", 2.0).held
    fast = rows.at_least("a", [1.0, 1.9, 9.0], "times", 2.0)
    assert (fast.held, fast.figure, fast.low, fast.high) == (False, 1.9, 1.0, 9.0)
    assert fast.bound == "at least 2.0 times"
