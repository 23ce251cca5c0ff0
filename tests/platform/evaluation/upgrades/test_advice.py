"""The sentence of advice says no more than its figures."""

import pytest

from holdfast.evaluation import (
    ADAPTER,
    PROJECTION,
    RE_EMBED,
    STATUS_QUO,
    Comparison,
    Figure,
    Prices,
    Way,
    advise,
)

CASCADE = Way("cascade", 50)
PRICES = Prices({CASCADE: 12.0, ADAPTER: 3.0}, 41 * 60)


def figure(way: Way, difference: float, half: float = 1.0) -> Figure:
    low, high = difference - half, difference + half
    return Figure(way, Comparison(80 + difference, 80, difference, low, high, low > 0, low > 0 or high < 0))


def figures(adapter: float, cascade: float, whole: float) -> list[Figure]:
    ways = (STATUS_QUO, 0.0), (ADAPTER, adapter), (CASCADE, cascade), (RE_EMBED, whole)
    return [figure(way, difference) for way, difference in ways]


@pytest.mark.parametrize(
    ("measured", "decision", "way"),
    [
        (figures(-8, 3.2, 3.3), "upgrade", CASCADE),
        (figures(3.1, 3.2, 3.3), "upgrade", ADAPTER),  # as good, and cheaper
        (figures(1.5, 3.2, 3.3), "upgrade", CASCADE),
        (figures(-8, 0.5, 3.3), "re-embed", None),
        (figures(-8, -4, -3.3), "keep", None),
        (figures(-8, -0.5, 0.4), "undecided", None),
        (figures(-8, -0.5, -0.4), "undecided", None),
    ],
)
def test_what_is_advised_is_beyond_chance(measured: list[Figure], decision: str, way: Way | None) -> None:
    advice = advise("v1", "v2", measured, "labels", [ADAPTER, CASCADE], PRICES)
    assert (advice.decision, advice.way) == (decision, way)


def test_the_sentence_names_gain_and_cost() -> None:
    advice = advise("v1", "v2", figures(-8, 3.2, 3.3), "labels", [ADAPTER, CASCADE], PRICES)
    assert advice.sentence == (
        "Search the entries of v1 by v2 through a cascade of 50: +3.2 (+2.2 to +4.2) points over leaving "
        "things alone, for 12 ms a query; a whole re-embedding would give +3.3 and cost 41 minutes."
    )


def test_a_cascade_that_cannot_run_is_not_advised() -> None:
    assert advise("v1", "v2", figures(-8, 3.2, 3.3), "labels", [ADAPTER], PRICES).decision == "re-embed"


@pytest.mark.parametrize(
    ("beaten", "decision", "said"),
    [
        (
            [ADAPTER, CASCADE, RE_EMBED],
            "project",
            "Keep v1, with a projection learned over it: +5.0",
        ),
        (
            [ADAPTER, RE_EMBED],
            "upgrade",
            "A projection learned over v1 gives +5.0 (+4.0 to",
        ),
    ],
)
def test_a_projection_is_advised_where_it_beats_every_way(
    beaten: list[Way], decision: str, said: str
) -> None:
    measured = [*figures(-8, 3.2, 3.3), figure(PROJECTION, 5)]
    advice = advise("v1", "v2", measured, "labels", [ADAPTER, CASCADE, Way("cascade", 200)], PRICES, beaten)
    assert advice.decision == decision
    assert said in advice.sentence
    no_better = [*figures(-8, 3.2, 3.3), figure(PROJECTION, 0.5)]
    assert advise("v1", "v2", no_better, "labels", [ADAPTER, CASCADE], PRICES, beaten).decision == "upgrade"
    assert "projection" not in advise("v1", "v2", no_better, "labels", [ADAPTER], PRICES, beaten).sentence


def test_views_are_provisional_and_agreement_decides_nothing() -> None:
    measured = figures(-8, 3.2, 3.3)
    assert advise("v1", "v2", measured, "views", [CASCADE], PRICES).sentence.startswith("Provisionally, ")
    assert advise("v1", "v2", measured, "agreement", [CASCADE], PRICES).decision == "undecided"
