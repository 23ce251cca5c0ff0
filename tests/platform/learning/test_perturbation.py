"""Perturbed copies of images: where they may lie, what they do, and that learning from them is repeatable."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from holdfast.base import ConfigError
from holdfast.learning import FolderCheckpoints, LearningConfig, SequencePlan, run_sequence
from holdfast.learning.perturbation import (
    FgsmConfig,
    NoiseConfig,
    PgdConfig,
    attacked_loss,
    check_perturbation,
    draw_start,
    perturb,
)
from holdfast.models import CosFaceConfig, Encoder, ModelConfig, Preprocessing

MODEL = ModelConfig(dimension=8, width=0.125, preprocessing=Preprocessing(size=8))
ALL = (FgsmConfig, PgdConfig, NoiseConfig)
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return Encoder(MODEL).eval()


@pytest.fixture(scope="module")
def head():
    torch.manual_seed(1)
    return CosFaceConfig().build(8, 5)


def images(count, seed, extreme=False):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand((count, 1, 8, 8), generator=generator)
    return drawn.round() if extreme else drawn


def attack(config, encoder, head, pixels, labels, seed=0):
    start = draw_start(config, tuple(pixels.shape), torch.Generator().manual_seed(seed))
    return perturb(config, pixels, start, attacked_loss(config, encoder, head, pixels, labels))


def lengths(changes, norm):
    flat = changes.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)


@given(
    kind=st.sampled_from(ALL),
    norm=st.sampled_from(["linf", "l2"]),
    objective=st.sampled_from(["loss", "embedding"]),
    epsilon=st.floats(1e-3, 1.0),
    extreme=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=25)
def test_stays_in_the_ball_and_in_the_pixel_range(
    encoder, head, kind, norm, objective, epsilon, extreme, seed
):
    chosen = {} if kind is NoiseConfig else {"objective": objective}
    config = kind(norm=norm, epsilon=epsilon, **chosen)
    pixels, labels = images(6, seed, extreme), torch.arange(6) % 5
    found = attack(config, encoder, head, pixels, labels, seed)
    assert found.shape == pixels.shape
    assert not found.requires_grad
    assert found.min() >= 0
    assert found.max() <= 1
    assert lengths(found - pixels, norm).max() <= epsilon + TOLERANCE


@given(seed=st.integers(0, 99), epsilon=st.floats(0.01, 0.3), norm=st.sampled_from(["linf", "l2"]))
@settings(max_examples=20)
def test_pgd_of_one_full_step_is_fgsm_is_the_formula(encoder, head, seed, epsilon, norm):
    pixels, labels = images(6, seed), torch.arange(6) % 5
    once = {"norm": norm, "epsilon": epsilon, "random_start": False}
    fgsm = attack(FgsmConfig(**once), encoder, head, pixels, labels)
    pgd = attack(PgdConfig(**once, steps=1, step_size=epsilon), encoder, head, pixels, labels)
    assert torch.equal(fgsm, pgd)
    assert torch.equal(fgsm, attack(PgdConfig(**once, steps=1), encoder, head, pixels, labels))
    seen = pixels.clone().requires_grad_(True)
    head(encoder(seen), labels).backward()
    slope = seen.grad.sign() if norm == "linf" else torch.nn.functional.normalize(seen.grad.flatten(1))
    expected = (pixels + epsilon * slope.view_as(pixels)).clamp(0, 1)
    torch.testing.assert_close(fgsm, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("objective", ["loss", "embedding"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_attack_raises_its_loss_further_than_noise_and_more_steps_further_yet(
    encoder, head, norm, objective
):
    epsilon = 0.05 if norm == "linf" else 0.4
    pixels, labels = images(64, 3), torch.arange(64) % 5
    chosen = {"norm": norm, "epsilon": epsilon, "objective": objective}
    ten = PgdConfig(**chosen, steps=10)
    loss = attacked_loss(ten, encoder, head, pixels, labels)
    noise = attack(NoiseConfig(norm=norm, epsilon=epsilon), encoder, head, pixels, labels)
    fgsm = attack(FgsmConfig(**chosen), encoder, head, pixels, labels)
    pgd = attack(ten, encoder, head, pixels, labels)
    clean, noise, fgsm, pgd = (float(loss(found).detach()) for found in (pixels, noise, fgsm, pgd))
    assert max(clean, noise) < fgsm < pgd


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_noise_is_as_large_as_the_largest_attack(norm):
    """Away from the edges of the pixel range, every image changes by exactly epsilon."""
    pixels = torch.full((5, 1, 8, 8), 0.5)
    config = NoiseConfig(norm=norm, epsilon=0.25)
    start = draw_start(config, (5, 1, 8, 8), torch.Generator().manual_seed(0))
    changes = perturb(config, pixels, start, lambda _: pytest.fail("noise asks for no loss")) - pixels
    torch.testing.assert_close(lengths(changes, norm), torch.full((5,), 0.25))
    if norm == "linf":
        assert torch.allclose(changes.abs(), torch.tensor(0.25))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_attack_on_an_image_does_not_depend_on_the_others_in_the_batch(encoder, head, norm):
    """So it does not depend on the number of workers either."""
    config = PgdConfig(norm=norm, epsilon=0.1, steps=3)
    pixels, labels = images(6, 4), torch.arange(6) % 5
    start = draw_start(config, (6, 1, 8, 8), torch.Generator().manual_seed(0))
    whole = perturb(config, pixels, start, attacked_loss(config, encoder, head, pixels, labels))
    part = slice(2, 5)
    loss = attacked_loss(config, encoder, head, pixels[part], labels[part])
    alone = perturb(config, pixels[part], start[part], loss)
    torch.testing.assert_close(alone, whole[part], atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("epsilon", [4, 1.001, 0, -0.1, math.nan])
def test_an_epsilon_outside_the_pixel_range_is_refused(kind, epsilon):
    with pytest.raises(ValidationError) as refused:
        kind(epsilon=epsilon)
    if epsilon > 1:
        assert "allowed are numbers above 0 and up to 1" in str(refused.value)


def test_an_l2_epsilon_is_bounded_by_the_images(plan, data, publisher, tmp_path):
    beyond = {"kind": "fgsm", "norm": "l2", "epsilon": 9}
    check_perturbation(PgdConfig(norm="l2", epsilon=8.0), Preprocessing(size=8))
    check_perturbation(PgdConfig(norm="l2", epsilon=13.8), Preprocessing(size=8, channels=3))
    published = publisher()
    with pytest.raises(ConfigError, match=r"learning\.adversarial\.epsilon is 9.*up to 8\."):
        run_sequence(plan(learning=learning(beyond)), data, published, FolderCheckpoints(tmp_path))
    assert not published.learned


@pytest.mark.parametrize("kind", ALL)
def test_a_view_without_a_slope_cannot_be_attacked(kind):
    preprocessing = Preprocessing(size=8, view="local-binary-patterns")
    if kind is NoiseConfig:
        check_perturbation(kind(), preprocessing)
        return
    with pytest.raises(ConfigError, match=r"no slope.*plain or edges"):
        check_perturbation(kind(), preprocessing)


def test_an_attack_on_the_embedding_begins_beside_the_image():
    with pytest.raises(ValidationError, match="random_start must be true"):
        PgdConfig(objective="embedding", random_start=False)


# Learning from them


def learning(adversarial=None):
    return {
        "epochs": 2,
        "batch_size": 16,
        "checkpoint_steps": 2,
        "precision": "float32",
        "adversarial": adversarial,
    }


def learn(plan, data, published, folder):
    run_sequence(plan, data, published, FolderCheckpoints(folder))
    return {task: one.encoder.contract().id for task, one in published.learned.items()}


def test_off_is_what_it_was_and_weight_zero_is_off(plan, data, publisher, tmp_path):
    off, zero, on = (plan(learning=learning(each)) for each in (
        None, {"kind": "pgd", "weight": 0}, {"kind": "pgd", "epsilon": 0.1}
    ))  # fmt: skip
    without = learn(off, data, publisher(), tmp_path / "off")
    assert learn(zero, data, publisher(), tmp_path / "zero") == without
    published = publisher()
    assert learn(on, data, published, tmp_path / "on") != without
    assert set(published.learned[0].history[0]) == {"classification", "perturbed"}


def test_what_is_off_is_not_written_so_that_older_runs_keep_their_fingerprints():
    assert "adversarial" not in LearningConfig().model_dump()
    assert "adversarial" in LearningConfig(adversarial={"kind": "noise"}).model_dump()


class KilledError(Exception):
    """Stands for a process that died."""


@pytest.mark.parametrize(
    "adversarial",
    [
        {"kind": "pgd", "epsilon": 0.1, "steps": 2},
        {"kind": "fgsm", "norm": "l2", "epsilon": 0.5, "objective": "embedding"},
        {"kind": "noise", "epsilon": 0.1},
    ],
)
def test_an_interrupted_run_goes_on_bit_identically(plan, data, publisher, tmp_path, adversarial):
    class Dying(FolderCheckpoints):
        left = 4

        def save(self, state):
            super().save(state)
            Dying.left -= 1
            if Dying.left == 0:
                raise KilledError

    changed: SequencePlan = plan(learning=learning(adversarial))
    whole = learn(changed, data, publisher(), tmp_path / "whole")
    broken = publisher()
    with pytest.raises(KilledError):
        run_sequence(changed, data, broken, Dying(tmp_path / "broken"))
    torch.manual_seed(54321)
    assert learn(changed, data, broken, tmp_path / "broken") == whole


def test_learning_with_attacks_makes_attacks_weaker(data, publisher, tmp_path, plan):
    """What it is for: under the same attack the embeddings of a robust encoder move less."""
    moved = {}
    for name, adversarial in (("standard", None), ("robust", {"kind": "pgd", "epsilon": 0.1, "steps": 3})):
        published = publisher()
        many = {**learning(adversarial), "epochs": 12}
        changed = plan(learning=many, regularizers=(), stream={"tasks": 1})
        run_sequence(changed, data, published, FolderCheckpoints(tmp_path / name))
        encoder = published.learned[0].encoder.eval()
        pixels = torch.from_numpy(np.array(data.evaluation.gallery.images)).float() / 255
        config = PgdConfig(epsilon=0.1, objective="embedding")
        found = attack(config, encoder, None, pixels, None)
        with torch.no_grad():
            moved[name] = float((encoder(found) - encoder(pixels)).norm(dim=1).mean())
    assert moved["robust"] < moved["standard"]
