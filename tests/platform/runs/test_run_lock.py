"""Two processes on one run: exactly one works, and a dead one holds nobody up."""

import os
import signal
import socket

import pytest
from sqlalchemy import update

from holdfast.base import Process
from holdfast.entries import LeaseLostError
from holdfast.jobs.train import run_experiment
from holdfast.learning.progress import ignore_progress
from holdfast.runs.evaluate import evaluate_lineage
from holdfast.runs.run_folder import RunCheckpoints
from holdfast.runs.run_lock import RunHeldError, holding_run, require_run
from holdfast.store import open_store
from holdfast.store.database.engine import writing
from holdfast.store.database.schema import leases
from tests.fixtures.waiting import wait_until


@pytest.fixture
def store(place):
    with open_store(*place) as opened:
        yield opened


def become(store, **changes):
    with writing(store.engine) as connection:
        connection.execute(update(leases).values(changes))


def test_of_two_that_start_at_once_one_learns_and_a_killed_one_is_followed_at_once(
    holdfast, tiny, tiny_file, tmp_path
):
    folder = tmp_path / "store"
    open_store(folder).close()
    started = [holdfast("run", tiny_file, "--store", folder) for _ in range(2)]
    (loser,) = wait_until(lambda: [each for each in started if each.poll() is not None], 240)
    (winner,) = (each for each in started if each is not loser)
    os.killpg(winner.pid, signal.SIGSTOP)
    said = loser.communicate()[0]
    assert loser.returncode == 2, said
    assert f"'tiny' is already running as process {winner.pid} on {socket.gethostname()}" in said
    with open_store(folder) as store:
        for refused in (
            lambda: run_experiment(store, tiny(), ignore_progress),
            lambda: run_experiment(store, tiny(), ignore_progress, fresh=True),
            lambda: run_experiment(store, tiny(seed=5), ignore_progress),
        ):
            with pytest.raises(RunHeldError, match=f"process {winner.pid} on"):
                refused()
        os.killpg(winner.pid, signal.SIGKILL)
        winner.wait()
        assert len(run_experiment(store, tiny(), ignore_progress).versions) == 3
        assert store.runs.get("tiny").attempt == 1


def test_measuring_and_learning_exclude_each_other_and_other_runs_do_not(store, tiny):
    run_experiment(store, tiny(stream={"tasks": 1, "validation": 0.25}), ignore_progress)
    with holding_run(store, "tiny"):
        with pytest.raises(RunHeldError, match=f"process {os.getpid()} on"):
            evaluate_lineage(store, tiny(), None, ignore_progress)
        with holding_run(store, "tiny", "tune"), pytest.raises(RunHeldError, match="The sweep 'tiny' is al"):
            holding_run(store, "tiny", "tune").__enter__()
        with holding_run(store, "t" * 100):
            pass
    with holding_run(store, "tiny"):
        pass


def test_another_machine_is_waited_for_until_its_lock_ends(store):
    far = Process("far-away", "another boot", 7, "1")
    with holding_run(store, "tiny"):
        become(store, **vars(far))
        with pytest.raises(RunHeldError, match="as process 7 on far-away"):
            holding_run(store, "tiny").__enter__()
        become(store, expires_at=0.0)
        with holding_run(store, "tiny"):
            pass


def test_one_that_slept_goes_on_unless_it_was_followed(store):
    run = store.runs.begin("tiny", "hash", None)
    with holding_run(store, "tiny") as first:
        checkpoints = RunCheckpoints(store, run, lambda: require_run(store, "tiny", first.epoch))
        become(store, expires_at=0.0)
        with writing(store.engine) as connection:
            first.fence(connection)
        checkpoints.save({"versions": [], "task": 1})
        become(store, expires_at=0.0)
        with holding_run(store, "tiny"), pytest.raises(LeaseLostError, match="taken run 'tiny' over"):
            checkpoints.save({"versions": [], "task": 2})
        assert checkpoints.latest()["task"] == 1
