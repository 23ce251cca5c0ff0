"""Weights and rates that are others in each task."""

import pytest
from pydantic import ValidationError

from holdfast.base import ConfigError
from holdfast.learning import FolderCheckpoints, LearningConfig, run_sequence

LEARNING = LearningConfig(epochs=2, batch_size=16, checkpoint_steps=3, precision="float32")
TERMS = (
    {"kind": "feature-distillation", "weight": 1.0},
    {"kind": "adversarial"},
    {"kind": "prototype-alignment", "refine": True, "refine_after": 0, "refresh_epochs": 1},
    {"kind": "rehearsal", "memory_bytes": 2000, "rehearsed": 9},
    {"kind": "interpolation", "share": 0.9},
)
RATE, WEIGHT = "learning.optimizer.learning_rate", "regularizers.feature-distillation.weight"


class KilledError(Exception):
    """Stands for a process that died."""


class Dying(FolderCheckpoints):
    left = 6  # between the second task and the third

    def save(self, state):
        super().save(state)
        self.left -= 1
        if not self.left:
            raise KilledError


def learn(plan, data, published, checkpoints):
    run_sequence(plan, data, published, checkpoints)
    return [one.encoder.contract().id for one in published.learned.values()]


def test_values_that_stay_the_same_change_nothing_and_others_count_from_their_task_on(
    plan, data, publisher, tmp_path
):
    """Terms are built anew for each task, and lose nothing of what they remember."""
    plain = plan(learning=LEARNING, regularizers=TERMS)
    same = {RATE: [0.003] * 3, WEIGHT: [1] * 3, "regularizers.interpolation.share": [0.9] * 3}
    last = {**same, WEIGHT: [1, 1, 30]}
    one, other, third = (
        learn(each, data, publisher(), FolderCheckpoints(tmp_path / str(number)))
        for number, each in enumerate(
            [plain, *(plan(learning=LEARNING, regularizers=TERMS, by_task=by) for by in (same, last))]
        )
    )
    assert one == other
    assert third[:2] == one[:2]
    assert third[2] != one[2]


def test_an_interrupted_run_goes_on_with_the_values_of_its_task(plan, data, publisher, tmp_path):
    by_task = {
        RATE: [0.003, 0.001, 0.01],
        WEIGHT: [1, 5, 2],
        "regularizers.interpolation.share": [1, 0.5, 0.7],
    }
    changing = plan(learning=LEARNING, regularizers=TERMS, by_task=by_task)
    whole = learn(changing, data, publisher(), FolderCheckpoints(tmp_path / "whole"))
    broken = publisher()
    with pytest.raises(KilledError):
        learn(changing, data, broken, Dying(tmp_path / "broken"))
    assert learn(changing, data, broken, FolderCheckpoints(tmp_path / "broken")) == whole


@pytest.mark.parametrize(
    ("by_task", "said"),
    [
        ({WEIGHT: [1, 2, 3], RATE: [0.1, 0.1]}, "as many values"),
        ({WEIGHT: []}, "at least 1 item"),
        ({WEIGHT: [1, 0, 3]}, "above 0"),
        ({WEIGHT: [1, -2, 3]}, "above 0"),
        ({RATE: [0.1, 0.1, -1]}, r"task 3.*\n.*learning_rate|learning_rate.*greater than 0"),
        ({"regularizers.typo.weight": [1, 2, 3]}, "no item 'typo'"),
        ({"regularizers.feature-distillation.wait": [1, 2, 3]}, "unknown key"),
        ({"learning.epochs": [1, 2, 3]}, "same in all tasks"),
        ({WEIGHT: [1, 2, 3], "regularizers.0.weight": [1, 2, 3]}, "name one value"),
    ],
)
def test_what_may_not_change_is_refused(plan, by_task, said):
    with pytest.raises(ValidationError, match=said):
        plan(by_task=by_task)


def test_each_task_has_its_value(plan, data, publisher, tmp_path):
    with pytest.raises(ConfigError, match=r"has 2 values, and the stream has 3 tasks"):
        learn(plan(by_task={WEIGHT: [1, 2]}), data, publisher(), FolderCheckpoints(tmp_path))
