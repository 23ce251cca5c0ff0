"""What a shadow found, added up, with intervals."""

import pytest

from holdfast.store import ShadowFigures, Tally


def tally(queries: int, common: int, slower: float = 1.0) -> Tally:
    found = Tally()
    live = [f"e{at}" for at in range(10)]
    for _ in range(queries):
        found.compared(live, live[:common] + [f"x{at}" for at in range(10 - common)], 0.010, 0.010 * slower)
    return found


def test_nothing_found_is_not_known() -> None:
    figures = ShadowFigures.of(Tally())
    assert figures == ShadowFigures()
    assert figures.overlap is None


def test_two_tallies_add_up_and_survive_json() -> None:
    both = Tally.of(tally(30, 9).as_dict()) + Tally.of(tally(10, 5, slower=2.0).as_dict())
    figures = ShadowFigures.of(both)
    assert figures.queries == 40
    assert figures.overlap is not None
    assert figures.overlap.value == pytest.approx(0.8)
    assert figures.overlap.low < 0.8 < figures.overlap.high
    assert figures.latency_ratio is not None
    assert figures.latency_ratio.value == pytest.approx(2**0.25, rel=0.02)
    assert figures.live_seconds is not None
    assert figures.shadow_seconds is not None
    assert figures.live_seconds.p95 == pytest.approx(0.010, rel=0.02)
    assert figures.shadow_seconds.p95 == pytest.approx(0.020, rel=0.02)


def test_fewer_hits_than_ten_are_compared_as_far_as_they_go() -> None:
    found = Tally()
    assert found.compared(["a", "b"], ["b", "c"], 0.01, 0.01) == 0.5
    assert found.compared(["a"], [], 0.01, 0.01) == 0.0
    assert found.compared([], [], 0.01, 0.01) == 1.0, "both found nothing"
    assert (
        found.compared([f"e{at}" for at in range(20)], [f"e{at}" for at in range(20)][::-1], 1.0, 1.0) == 0.0
    )


def test_of_queries_in_one_request_no_latency_is_known() -> None:
    found = Tally()
    found.compared(["a"], ["a"], None, 0.01)
    figures = ShadowFigures.of(found)
    assert (figures.queries, figures.latency_ratio, figures.live_seconds) == (1, None, None)


def test_flips_and_errors_are_shares_with_the_interval_of_rare_events() -> None:
    found = tally(96, 10)
    for outcome in [(True, True)] * 90 + [(True, False)] * 2 + [(False, True)] * 4:
        found.judged(*outcome)
    for _ in range(4):
        found.failed("internal", "it broke")
    figures = ShadowFigures.of(found)
    assert figures.judged == 96
    assert figures.negative_flips is not None
    assert figures.positive_flips is not None
    assert figures.errors is not None
    assert figures.negative_flips.value == pytest.approx(2 / 96)
    assert 0 < figures.negative_flips.low < 2 / 96 < figures.negative_flips.high < 0.08
    assert figures.positive_flips.value == pytest.approx(4 / 96)
    assert (figures.errors.value, figures.failed, figures.failed_by_code) == (0.04, 4, {"internal": 4})
    assert figures.last_error == "it broke"
    none_failed = ShadowFigures.of(tally(96, 10)).errors
    assert none_failed is not None
    assert (none_failed.value, none_failed.low) == (0, 0)
    assert none_failed.high > 0.03, "96 queries without an error do not say that there is none"
