"""A population without Ray: whatever interrupts it, it comes to the same."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.jobs.tuning.driving import DIVERGED, ERROR, NUMBER, Driving, Proposals
from holdfast.tuning import Sweep, TuningConfig

KEY, TASKS = "regularizers.a.weight", 4
CONFIG = TuningConfig.model_validate(
    {
        "space": {KEY: {"kind": "loguniform", "low": 0.1, "high": 100}},
        "stopping": "pbt",
        "grace_tasks": 1,
        "trials": 6,
    }
)


class KilledError(Exception):
    """Stands for a process that died."""


class Machine:
    """What Ray would do, one trial after the other or two at a time; it dies after so many events.

    What a trial has learned is the list of the values that it learned with, which its checkpoint names.
    """

    def __init__(self, record, checkpoints, events=math.inf, beside=1, config=CONFIG):
        self.record, self.checkpoints, self.left, self.beside = record, checkpoints, events, beside
        sweep = Sweep.read(record[-1]) if record else Sweep({})
        self.driving = Driving(
            config, sweep, [{KEY: 10.0}], 3, lambda key: False, TASKS, self.keep, lambda trial: None
        )
        self.driving.forget = lambda checkpoint: checkpoints.pop(checkpoint)
        self.asks = Proposals(self.driving)

    def keep(self, sweep):
        self.record.append(sweep.bytes())

    def event(self):
        self.left -= 1
        if self.left < 0:
            raise KilledError

    def run(self):
        while True:
            given = [self.asks.suggest("")]
            while isinstance(given[-1], dict) and len(given) < self.beside:
                given.append(self.asks.suggest(""))
            works = [self.work(each) for each in given if isinstance(each, dict)]
            if not works:
                assert given == ["FINISHED"]
                return self.driving.sweep
            while works:
                works = [work for work in works if next(work, None) is not None]

    def work(self, given):
        number = given[NUMBER]
        learned = list(self.checkpoints.get(given["checkpoint"], ()))
        assert given["checkpoint"] is None or learned
        while len(learned) < given["until"]:
            task = len(learned)
            value = given["by_task"][KEY][task] if given["by_task"] else given["values"][KEY]
            learned.append(value)
            self.event()
            yield "learned"
            # The best weight falls from task to task.
            objective = 50 - sum(abs(math.log(value) - 3 + task) for task, value in enumerate(learned))
            told = {"objective": objective, "self": objective, "cross": 0, "seconds": 1.0}
            failed = {ERROR: "it became nan", DIVERGED: True} if number == 2 and task == 1 else {}
            result = {**told, "tasks": task + 1, "images": 10 * (task + 1), **failed}
            ends = self.driving.reported(number, {**result, "config": given})
            assert ends == (bool(failed) or task + 1 == given["until"])
            self.event()
            yield "reported"
            if failed:
                break
            if task + 1 < TASKS:
                place = f"{number}-{task}-{len(self.record)}"
                self.checkpoints[place] = tuple(learned)
                self.driving.kept(number, place)
                self.event()
                yield "kept"
        self.driving.ended(number, None)


def told(sweep):
    return [
        (trial.number, trial.state, trial.values, trial.before, trial.took, trial.curve, trial.error)
        for trial in sweep.trials
    ]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 60), max_size=4), st.integers(1, 3))
def test_interrupted_anywhere_the_same_trials_take_over_the_same(deaths, beside):
    whole = Machine([], {}).run()
    record, checkpoints = [], {}
    for events in deaths:
        machine = Machine(record, checkpoints, events, beside)
        try:
            machine.run()
        except KilledError:
            continue
    found = Machine(record, checkpoints, beside=beside).run()
    assert told(Sweep.read(found.bytes())) == told(Sweep.read(whole.bytes()))
    assert whole.trials[2].state == "failed"
    assert sum(len(trial.took) for trial in whole.trials) >= 3


def test_what_a_trial_reports_is_of_the_values_that_it_is_said_to_have():
    checkpoints = {}
    sweep = Machine([], checkpoints).run()
    for trial in sweep.trials:
        if trial.state == "done":
            values = [each[KEY] for each in trial.before]
            assert len(values) == TASKS
            expected = 50 - sum(abs(math.log(value) - 3 + task) for task, value in enumerate(values))
            assert trial.last.objective == pytest.approx(expected)
    assert len(checkpoints) <= 5, "what no trial goes on from is removed"


def test_once_the_budget_is_spent_no_trial_begins_another_task():
    sweep = Machine([], {}, config=CONFIG.model_copy(update={"images": 100})).run()
    assert {trial.state for trial in sweep.trials} == {"stopped", "failed"}
    assert {trial.tasks for trial in sweep.trials if trial.state == "stopped"} == {1, 2}
