"""Rounds of SIGKILL under load, a few of them; and that what checks them notices what it is there for."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from experiments.benchmarks.failures import acknowledgements, killed_rounds
from holdfast.store import Store


def test_nothing_is_lost_or_there_twice_or_stale(
    store: Store, place: tuple[str, str], allow: Callable[..., None]
) -> None:
    allow("v2", "v1")
    with killed_rounds.Rounds(store, place, seed=1) as rounds:
        for victim in ("searcher", "writer", "all"):
            rounds.play(victim)
            assert rounds.violations == []
    log = rounds.log
    assert log.acknowledged > 20
    assert log.checked > 10


class Told:
    """A log of three writes that were acknowledged and one that was not, and what there is."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.log = module.Log()
        for write in (
            module.Write(1, puts=(("a", "v1"), ("b", "v2"))),
            module.Write(2, puts=(("c", "v1"),)),
            module.Write(3, gone=("a", "none")),
            module.Write(4, puts=(("d", "v1"), ("b", "v1"))),
        ):
            self.log.asks(write)
        for number, seq in ((1, 2), (2, 3), (3, 4)):
            self.log.acknowledges(number, seq)
        self.rows = {"a": ("a", 4), "b": ("b", 2, "v2", 1), "c": ("c", 3, "v1", 2)}

    def answers(self, min_seq: int, seq: int, *entries: tuple[str, str, int]) -> None:
        self.log.answers(self.module.Answer(min_seq, seq, entries))

    def settle(self, last_seq: int = 4, *more: Any) -> list[str]:
        rows = [self.module.Row(*row) for row in [*self.rows.values(), *more]]
        found: list[str] = self.log.settle(rows, last_seq)
        return found


@pytest.fixture
def told() -> Told:
    return Told(acknowledgements)


B, C = ("b", "v2", 1), ("c", "v1", 2)


def test_what_agrees_is_no_violation(told: Told) -> None:
    told.answers(2, 2, ("a", "v1", 1), B)
    told.answers(3, 4, B, C)
    assert told.settle() == []
    assert (told.log.acknowledged, told.log.unacknowledged, told.log.absent) == (3, 0, 1)
    assert (told.log.checked, told.log.promised) == (2, 4)
    # What was never acknowledged and is not there will not come any more; the next one takes its numbers.
    told.log.asks(told.module.Write(5, puts=(("e", "v1"),)))
    told.rows["e"] = ("e", 5, "v1", 5)
    assert told.settle(5) == []


def test_a_write_that_was_not_acknowledged_may_be_there_as_a_whole(told: Told) -> None:
    told.rows |= {"d": ("d", 5, "v1", 4), "b": ("b", 6, "v1", 4)}
    assert told.settle(6) == []
    assert told.log.unacknowledged == 1


def test_neighbouring_deletes_may_share_their_numbers(told: Told) -> None:
    told.settle()
    for number, name in ((5, "b"), (6, "c")):
        told.log.asks(told.module.Write(number, gone=(name,)))
        told.log.acknowledges(number, 6)
    told.rows |= {"b": ("b", 6), "c": ("c", 5)}
    assert told.settle(6) == []


def test_a_lost_write_is_noticed(told: Told) -> None:
    del told.rows["c"]
    assert told.settle() == ["Lost: 'c' is not there, which number 3 wrote."]


def test_lost_writes_at_the_end_are_noticed(told: Told) -> None:
    told.rows = {"a": ("a", 1, "v1", 1), "b": ("b", 2, "v2", 1)}
    found = told.settle(2)
    assert [problem[:30] for problem in found] == [
        "Lost: upsert 2 was acknowledge",
        "Lost: delete 3 was acknowledge",
    ]


def test_a_delete_that_did_not_stay_is_noticed(told: Told) -> None:
    told.rows["a"] = ("a", 1, "v1", 1)
    (found,) = told.settle()
    assert found.startswith("'a' is Row(id='a', seq=1")


def test_half_of_a_write_is_noticed(told: Told) -> None:
    told.rows["d"] = ("d", 5, "v1", 4)
    found = told.settle(5)
    assert found[0].startswith("The gallery is at number 5, where no write ends")
    assert found[1] == "'d' is there, which nobody has written."


def test_an_older_state_of_an_entry_is_noticed(told: Told) -> None:
    told.rows |= {"d": ("d", 5, "v1", 4)}
    (found,) = told.settle(6)
    assert "'b' is Row(id='b', seq=2, version='v2', write=1), but should be" in found


def test_doubles_are_noticed(told: Told) -> None:
    assert told.settle(4, ("c", 3, "v1", 2)) == [
        "The id 'c' is there 2 times.",
        "The number 3 is there 2 times.",
    ]


def test_a_write_that_came_twice_is_noticed(told: Told) -> None:
    told.rows |= {"c": ("c", 5, "v1", 2)}
    found = told.settle(5)
    assert any("something twice" in problem for problem in found)
    assert any(problem.startswith("'c' is Row(id='c', seq=5") for problem in found)


def test_a_number_that_was_given_twice_is_noticed(told: Told) -> None:
    told.log.acknowledges(2, 2)
    assert told.settle() == ["upsert 2 was acknowledged as number 2, but its last is 3."]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((4, 3, ("a", "v1", 1), B, C), "Stale: an answer saw number 3, and promised 4."),
        ((4, 4, B), "Stale: an answer that saw number 4 lacks ('c', 'v1', 2)."),
        (
            (0, 4, B, C, ("a", "v1", 1)),
            "An answer that saw number 4 has ('a', 'v1', 1), which was not there then.",
        ),
        ((0, 4, B, C, C), "An answer that saw number 4 has an entry twice."),
        ((0, 1, ("a", "v1", 1)), "An answer said it saw number 1, where no write ends."),
    ],
    ids=["too old", "lacks one", "deleted", "twice", "half"],
)
def test_a_wrong_answer_is_noticed(told: Told, answer: tuple[Any, ...], said: str) -> None:
    told.answers(*answer)
    assert told.settle() == [said]
