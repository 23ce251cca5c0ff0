"""Regularizers with parameters, exemplars or a rotation of their own, through a whole sequence."""

import numpy as np
import pytest
import torch

from holdfast.base import ConfigError
from holdfast.learning import FolderCheckpoints, LearningConfig, run_sequence
from holdfast.models import ModelConfig, Preprocessing, SimplexConfig

TERMS = (
    {"kind": "adversarial"},
    {"kind": "boundary"},
    {"kind": "structural-regularization"},
    {"kind": "prototype-alignment", "refine": True, "refine_after": 0, "refresh_epochs": 1},
    {"kind": "feature-estimation"},
    {"kind": "elastic-boundary"},
    {"kind": "higher-order-contrast", "memory_bytes": 2000, "rehearsed": 9, "selection": "reservoir"},
    {"kind": "mixing"},
    {"kind": "orthogonal-expansion", "free_dimensions": 2},
    {"kind": "rehearsal", "memory_bytes": 2000, "rehearsed": 9},
)
LEARNING = LearningConfig(epochs=2, batch_size=16, checkpoint_steps=3, precision="float32")


class KilledError(Exception):
    """Stands for a process that died."""


@pytest.mark.parametrize("after", [4, 5, 6, 7])
def test_interrupted_in_any_later_task_gives_the_same_weights(plan, data, publisher, tmp_path, after):
    """Invariant 8: 4 is in the second task, 5 after its last step, 6 between it and the third, 7 in that."""

    class Dying(FolderCheckpoints):
        saved = 0

        def save(self, state):
            super().save(state)
            Dying.saved += 1
            if Dying.saved == after:
                raise KilledError

    whole, broken = publisher(), publisher()
    stateful = plan(learning=LEARNING, regularizers=TERMS)
    run_sequence(stateful, data, whole, FolderCheckpoints(tmp_path / "whole"))
    with pytest.raises(KilledError):
        run_sequence(stateful, data, broken, Dying(tmp_path / "broken"))
    torch.manual_seed(12345)
    run_sequence(stateful, data, broken, FolderCheckpoints(tmp_path / "broken"))
    ids = [[one.encoder.contract().id for one in each.learned.values()] for each in (whole, broken)]
    assert ids[0] == ids[1]
    assert broken.learned[2].history == whole.learned[2].history


def test_a_folded_rotation_is_published_and_passed_on(plan, data, publisher, tmp_path):
    published = publisher()
    turning = plan(learning=LEARNING, regularizers=({"kind": "orthogonal-expansion", "weight": 50},))
    run_sequence(turning, data, published, FolderCheckpoints(tmp_path))
    turns = [one.encoder.rotation for one in published.learned.values()]
    for turn in turns:
        torch.testing.assert_close(turn @ turn.T, torch.eye(16), atol=1e-5, rtol=0)
    assert torch.equal(turns[0], torch.eye(16))
    assert (turns[1] - turns[0]).abs().max() > 1e-3
    assert (turns[2] - turns[1]).abs().max() > 1e-3
    last = published.learned[2]
    own = last.encoder.embed(data.evaluation.queries.images)
    np.testing.assert_allclose(own, last.embedded.queries, atol=1e-6)


def test_a_simplex_that_a_later_task_overflows_is_refused_before_the_first(plan, data, publisher, tmp_path):
    published = publisher()
    too_few = ModelConfig(
        dimension=16, width=0.125, preprocessing=Preprocessing(size=8), head=SimplexConfig(classes=8)
    )
    with pytest.raises(ConfigError, match="at least 12"):
        run_sequence(plan(learning=LEARNING, model=too_few), data, published, FolderCheckpoints(tmp_path))
    assert not published.learned


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"regularizers": ({"kind": "rehearsal"},)}, r"memory_bytes 0.*12 classes.*at least 768"),
        (
            {"regularizers": ({"kind": "higher-order-contrast", "memory_bytes": 767},)},
            r"at least 768, or leave memory_bytes out",
        ),
        (
            {"regularizers": ({"kind": "orthogonal-expansion", "free_dimensions": 16},)},
            r"free_dimensions may be at most 15",
        ),
        (
            {
                "model": ModelConfig(
                    dimension=16,
                    width=0.125,
                    preprocessing=Preprocessing(size=8),
                    head=SimplexConfig(classes=20),
                )
            },
            r"head.classes may be at most 17, or dimension at least 19",
        ),
    ],
)
def test_what_is_undefined_is_refused_before_anything_is_learned(
    plan, data, publisher, tmp_path, changes, reason
):
    published, checkpoints = publisher(), FolderCheckpoints(tmp_path)
    with pytest.raises(ConfigError, match=reason):
        run_sequence(plan(**changes), data, published, checkpoints)
    assert not published.learned
    assert checkpoints.latest() is None
