import pytest

from holdfast.base import ConflictError, NotFoundError
from holdfast.store import Store


def test_an_interrupted_run_goes_on_from_the_parent_it_began_with(lineage: Store) -> None:
    begun = lineage.runs.begin("a", "hash-1", "v1")
    assert (begun.attempt, begun.parent, begun.status) == (1, "v1", "running")
    assert lineage.runs.begin("a", "hash-1", "v3") == begun
    assert lineage.runs.get("a") == begun


def test_a_finished_run_says_so(lineage: Store) -> None:
    lineage.runs.begin("a", "hash-1", None)
    finished = lineage.runs.finish("a")
    assert finished.status == "finished"
    assert finished.finished_at is not None
    assert lineage.runs.finish("a") == finished
    assert lineage.runs.begin("a", "hash-1", None) == finished


def test_a_name_stands_for_one_experiment(lineage: Store) -> None:
    lineage.runs.begin("a", "hash-1", None)
    with pytest.raises(ConflictError, match="--fresh"):
        lineage.runs.begin("a", "hash-2", None)
    assert lineage.runs.begin("b", "hash-2", None).attempt == 1


def test_a_fresh_start_is_a_new_attempt_from_the_same_parent(lineage: Store) -> None:
    lineage.runs.begin("a", "hash-1", "v1")
    lineage.runs.finish("a")
    again = lineage.runs.restart("a")
    assert (again.attempt, again.parent, again.status) == (2, "v1", "running")
    assert again.experiment_hash == "hash-1"
    changed = lineage.runs.restart("a", "hash-2")
    assert (changed.attempt, changed.experiment_hash) == (3, "hash-2")
    assert lineage.runs.begin("a", "hash-2", None) == changed
    assert [run.attempt for run in lineage.runs.list()] == [3]


def test_an_unknown_run_names_what_there_is(lineage: Store) -> None:
    lineage.runs.begin("a", "hash-1", None)
    for act in (lineage.runs.get, lineage.runs.finish, lineage.runs.restart):
        with pytest.raises(NotFoundError, match="no run 'b': the store holds a"):
            act("b")
    with pytest.raises(NotFoundError, match="v9"):
        lineage.runs.begin("c", "hash-1", "v9")
