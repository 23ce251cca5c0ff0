import numpy as np
import pytest

from holdfast.adapters import LinearAdapter, Meeting
from holdfast.evaluation import score, score_cascades

Spaces = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def spaces() -> Spaces:
    """Queries and entries in a newer space, entries in an older one, and the labels."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(8, 6))
    asks, holds = np.arange(60) % 8, np.arange(140) % 8

    def units(vectors: np.ndarray) -> np.ndarray:
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    queries, own = (units(centres[each] + generator.normal(size=(len(each), 6))) for each in (asks, holds))
    older = units(own + 0.5 * generator.normal(size=own.shape))
    return queries, older, own, asks, holds


def test_candidates_are_recalled_by_the_map_and_ranked_in_the_newer_space(spaces: Spaces) -> None:
    queries, older, own, asks, holds = spaces
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    meeting = Meeting(LinearAdapter.of(turn), "entries")
    found = dict(
        score_cascades(meeting, queries, older @ turn.T.astype(np.float32), own, asks, holds, (1, 5, 14))
    )
    assert list(found) == [1, 5, 14]
    for count, outcome in found.items():
        recalled = np.argsort(-(queries @ older.T), axis=1)[:, :count]
        best = [
            places[np.argmax(own[places] @ query)] for places, query in zip(recalled, queries, strict=True)
        ]
        np.testing.assert_array_equal(outcome.hits, holds[best] == asks)
        assert outcome.percent()["recall_at_1"] == pytest.approx(100 * outcome.hits.mean())
    direct = score(queries, asks, older, holds).outcome()
    np.testing.assert_array_equal(found[1].hits, direct.hits)


def test_cascades_of_more_than_a_tenth_of_the_entries_are_left_out(spaces: Spaces) -> None:
    queries, older, own, asks, holds = spaces
    assert [count for count, _ in score_cascades(Meeting(), queries, older, own, asks, holds)] == [10]
    assert not list(score_cascades(Meeting(), queries, older[:90], own[:90], asks, holds[:90]))
