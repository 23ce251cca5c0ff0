"""A run outlasts a database that restarts, and does not notice a pooler."""

import threading
import time

import pytest

from experiments.benchmarks.harness.postgres import own_postgres
from holdfast.base import ConflictError, DatabaseAwayError
from holdfast.learning.progress import ignore_progress
from holdfast.runs import learn_experiment, patience, patiently
from holdfast.store import open_store
from tests.fixtures.poolers import pgbouncer


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(patience, "_PAUSE_SECONDS", 0.2)


@pytest.fixture
def database():
    try:
        with own_postgres() as made:
            yield made
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("quick")
def test_a_run_waits_for_a_database_that_restarts(database, tiny, tmp_path):
    short = tiny(stream={"tasks": 2, "validation": 0.25})
    with open_store(tmp_path / "here") as store:
        learn_experiment(store, short, ignore_progress)
        alone = [version.contract for version in store.versions.list()]
    away = []

    def disturb(progress):
        if progress.phase == "publishing" and progress.task == 1 and not away:
            away.append(time.monotonic())
            database.stop()
            threading.Timer(1.5, database.start).start()

    with open_store(database.url, str(tmp_path / "artifacts")) as store:
        with pytest.warns(UserWarning, match="The run waits for it"):
            outcome = learn_experiment(store, short, disturb)
        assert time.monotonic() - away[0] > 1.5
        assert outcome.versions == ["v1", "v2"]
        assert [version.contract for version in store.versions.list()] == alone
        assert store.runs.get("tiny").status == "finished"
        # Also what a publication does after its version is there.
        assert {(row.query, row.gallery) for row in store.adapters.list()} == {
            (newer, older) for newer in outcome.versions for older in outcome.versions if newer > older
        }


def test_a_run_behind_a_pooler_learns_what_it_learns_without(database, tiny, tmp_path):
    short = tiny(stream={"tasks": 2, "validation": 0.25}, learning={"epochs": 1, "batch_size": 16})
    contracts = []
    with pgbouncer(database.url) as url:
        for place in (str(tmp_path / "here"), url):
            with open_store(place, str(tmp_path / "artifacts")) as store:
                assert learn_experiment(store, short, ignore_progress).versions == ["v1", "v2"]
                contracts.append([version.contract for version in store.versions.list()])
    assert contracts[0] == contracts[1]


@pytest.mark.usefixtures("quick")
def test_it_waits_only_so_long_and_only_for_what_may_pass(monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.5)
    calls = []

    def away():
        calls.append(1)
        raise DatabaseAwayError("It is away.")

    with pytest.warns(UserWarning, match="It is away"), pytest.raises(DatabaseAwayError):
        patiently(away)
    assert len(calls) >= 3

    def refuses():
        calls.append(1)
        raise ConflictError("It is another one.")

    before = len(calls)
    with pytest.raises(ConflictError):
        patiently(refuses)
    assert len(calls) == before + 1
