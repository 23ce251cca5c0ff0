import dataclasses
import gc
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from holdfast.regularizers.literature import FeatureEstimationConfig
from holdfast.regularizers.literature.feature_estimation import compose, estimate_features, measure_range
from holdfast.regularizers.recipe.correlation_distillation import correlation_divergence


def random_units(seed: int, rows: int, width: int) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def with_ranges(ranges: torch.Tensor, **config: object):
    term = FeatureEstimationConfig(**config).build()
    term.ranges = ranges
    return term


NEW, PARENT = random_units(0, 8, 6), random_units(1, 8, 6)
RANGES = torch.tensor([[-0.2, 0.4], [-0.9, 0.1], [0.3, 0.5]])[:, :, None].expand(3, 2, 6).contiguous()


def test_zero_ranges_repeat_the_parents_correlation_term(step):
    """Each earlier model then counts like the parent, and the term vanishes with the parent's own."""
    plain = correlation_divergence(NEW, PARENT, 0.25).item()
    for stages in ("one", "all"):
        term = with_ranges(torch.zeros(3, 2, 6), stages=stages)
        assert term(step(NEW, PARENT)).item() == pytest.approx(3 * plain, rel=1e-5)
        assert term(step(PARENT, PARENT)).item() == pytest.approx(0, abs=1e-6)


def test_is_the_divergence_from_simulated_features(step):
    """Against the formula in numpy, fed with the same uniform numbers."""
    term = with_ranges(RANGES[:1], temperature=0.5)
    torch.manual_seed(3)
    loss = term(step(NEW, PARENT)).item()
    torch.manual_seed(3)
    torch.randint(1, ())
    u = -0.2 + 0.6 * torch.rand(8, 6).double().numpy()
    estimate, new = PARENT.double().numpy() * (1 + u), NEW.double().numpy()

    def softmax(values: np.ndarray) -> np.ndarray:
        return np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)

    p, q = softmax(estimate @ estimate.T / 0.5), softmax(new @ new.T / 0.5)
    assert loss == pytest.approx(0.25 * (p * np.log(p / q)).sum(axis=1).mean(), rel=1e-4)


def test_resampled_in_every_step_from_torchs_generator(step):
    term = with_ranges(RANGES)
    torch.manual_seed(0)
    first, second = term(step(NEW, PARENT)), term(step(NEW, PARENT))
    torch.manual_seed(0)
    assert term(step(NEW, PARENT)) == first
    assert second != first


def test_one_stage_a_step_is_the_sum_of_all_on_average(step):
    """Ranges of no width leave the stage as the only thing that is drawn."""
    ranges = RANGES.mean(dim=1, keepdim=True).expand(3, 2, 6)
    one, every = with_ranges(ranges), with_ranges(ranges, stages="all")
    total = every(step(NEW, PARENT)).item()
    parts = [correlation_divergence(NEW, PARENT * (1 + low[0]), 0.25).item() for low in ranges]
    assert total == pytest.approx(sum(parts), rel=1e-5)
    torch.manual_seed(0)
    drawn = [one(step(NEW, PARENT)).item() for _ in range(600)]
    assert {round(value, 4) for value in drawn} == {round(3 * part, 4) for part in parts}
    assert np.mean(drawn) == pytest.approx(total, rel=0.1)


def test_controls(step):
    """`zero` draws nothing; `zero-mean` keeps the width of the range and loses its middle."""
    low, high = torch.full((6,), -0.1), torch.full((6,), 0.5)
    ranges, many = torch.stack([low, high]), torch.ones(20000, 6)
    torch.testing.assert_close(estimate_features(many, ranges, "zero"), many)
    measured, centred = (estimate_features(many, ranges, noise) - 1 for noise in ("measured", "zero-mean"))
    assert measured.mean().item() == pytest.approx(0.2, abs=0.01)
    assert centred.mean().item() == pytest.approx(0, abs=0.01)
    assert centred.std().item() == pytest.approx(measured.std().item(), rel=0.02)
    assert centred.std().item() == pytest.approx(0.6 / 12**0.5, rel=0.02)
    term = with_ranges(RANGES, noise="zero")
    plain = correlation_divergence(NEW, PARENT, 0.25).item()
    assert term(step(NEW, PARENT)).item() == pytest.approx(3 * plain, rel=1e-5)


def test_normalized_estimates_have_unit_norm_as_all_features_have(step):
    """Of ranges without width the estimate is known: a longer one counts as its direction alone."""
    ranges = RANGES[2:].mean(dim=1, keepdim=True).expand(1, 2, 6)
    as_code, of_unit_norm = with_ranges(ranges), with_ranges(ranges, normalize=True)
    plain = correlation_divergence(NEW, PARENT, 0.25).item()
    assert of_unit_norm(step(NEW, PARENT)).item() == pytest.approx(plain, rel=1e-5)
    assert as_code(step(NEW, PARENT)).item() != pytest.approx(plain, rel=1e-2)


def test_nothing_is_estimated_before_there_is_an_older_model(start, step):
    term = FeatureEstimationConfig().build()
    term.begin(start)
    assert term(step(NEW, None)) == 0


def test_pulls_the_new_model_only(step):
    new = NEW.clone().requires_grad_()
    term = with_ranges(RANGES)
    term(step(new, PARENT)).backward()
    assert new.grad.abs().sum() > 0
    assert not list(term.parameters())


def test_measures_a_planted_range():
    """Old features that are simulated from the new ones: the quantiles of what they were simulated with."""
    new = random_units(0, 20000, 4)
    low, high = torch.tensor([-0.2, 0.0, 0.3, -1.0]), torch.tensor([0.4, 0.1, 0.5, 1.0])
    old = estimate_features(new, torch.stack([low, high]))
    measured = measure_range(new, old, 0.05)
    expected = torch.stack([low + 0.05 * (high - low), high - 0.05 * (high - low)])
    torch.testing.assert_close(measured, expected, rtol=0, atol=0.05)
    everywhere = measure_range(new, old, 0.05, per_dimension=False)
    assert everywhere.shape == (2, 4)
    assert everywhere.std(dim=1).max() == 0
    assert everywhere[0, 0] < measured[0, :3].min()


def test_elements_near_zero_do_not_stretch_the_range():
    """By hand: changes of -0.1, 0 and 0.1 on elements of weight 1, and of a million on one near zero."""
    new = torch.tensor([[1.0], [-1.0], [1.0], [1e-7], [0.0]])
    old = torch.tensor([[0.9], [-1.0], [1.1], [0.1], [0.2]])
    torch.testing.assert_close(measure_range(new, old, 0.05), torch.tensor([[-0.1], [0.1]]))


def test_no_change_and_no_signal_are_zero_ranges():
    new = random_units(0, 10, 3)
    new[:, 1] = 0
    assert measure_range(new, new, 0.05).abs().max() == 0


@pytest.mark.parametrize("width", [4, 9])
def test_ranges_between_models_of_different_widths(width):
    """In the new model's width; what the old one lacks has gone by -1."""
    new, old = random_units(0, 50, 6), random_units(1, 50, width)
    measured = measure_range(new, old, 0.05)
    assert measured.shape == (2, 6)
    if width == 4:
        torch.testing.assert_close(measured[:, 4:], torch.full((2, 2), -1.0))
        torch.testing.assert_close(measured[:, :4], measure_range(new[:, :4], old, 0.05))
    else:
        torch.testing.assert_close(measured, measure_range(new, old[:, :6], 0.05))


@given(
    low=st.floats(-0.9, 0.9), width=st.floats(0, 1), other=st.floats(-0.9, 0.9), other_width=st.floats(0, 1)
)
def test_composed_ranges_have_the_mean_and_variance_of_both(
    low: float, width: float, other: float, other_width: float
):
    """Against moments by quadrature: E and Var of (1 + u)(1 + v) on a grid of midpoints."""
    middle = (np.arange(200) + 0.5) / 200
    product = (1 + low + width * middle)[:, None] * (1 + other + other_width * middle)
    later = torch.tensor([[low], [low + width]], dtype=torch.float64)
    earlier = torch.tensor([[[other], [other + other_width]]], dtype=torch.float64)
    composed = compose(later, earlier)
    assert composed.shape == (1, 2, 1)
    bottom, top = composed[0, :, 0].tolist()
    assert 1 + (bottom + top) / 2 == pytest.approx(product.mean(), abs=1e-6)
    assert (top - bottom) ** 2 / 12 == pytest.approx(product.var(), abs=1e-4)


def test_no_change_composes_to_the_other_range():
    for later, earlier in ((torch.zeros(2, 6), RANGES), (RANGES[0], torch.zeros(3, 2, 6))):
        expected = RANGES if later.abs().max() == 0 else RANGES[:1].expand(3, 2, 6)
        torch.testing.assert_close(compose(later, earlier), expected)


def test_ranges_are_measured_when_a_task_is_finished_and_compose(start, encoder):
    term = FeatureEstimationConfig(quantile=0.1).build()
    term.finish(dataclasses.replace(start, parent=None))
    assert len(term.ranges) == 0

    images = start.load_images()
    models = [encoder(seed) for seed in range(3)]
    first, second, third = (torch.from_numpy(model.embed(images)) for model in models)
    term.finish(dataclasses.replace(start, encoder=models[1], parent=models[0]))
    torch.testing.assert_close(term.ranges, measure_range(second, first, 0.1)[None])
    term.finish(dataclasses.replace(start, encoder=models[2], parent=models[1]))
    latest = measure_range(third, second, 0.1)
    older = compose(latest, measure_range(second, first, 0.1)[None])
    torch.testing.assert_close(term.ranges, torch.stack([latest, older[0]]))


def test_a_wider_model_later_on(start, encoder):
    term = FeatureEstimationConfig().build()
    narrow, wide = encoder(1, 6), encoder(2, 9)
    term.finish(dataclasses.replace(start, encoder=encoder(3, 6), parent=narrow))
    term.finish(dataclasses.replace(start, encoder=wide, parent=narrow))
    assert term.ranges.shape == (2, 2, 9)
    torch.testing.assert_close(term.ranges[:, :, 6:], torch.full((2, 2, 3), -1.0))


def test_images_and_models_of_earlier_tasks_are_not_kept(start, encoder):
    """Four tasks: nothing of them is alive but the rows of the ranges."""
    term = FeatureEstimationConfig().build()
    traces = []
    for seed in range(4):
        images = np.random.default_rng(seed).integers(0, 255, (12, 1, 8, 8), np.uint8)
        task = dataclasses.replace(
            start, encoder=encoder(seed + 1), parent=encoder(seed), load_images=lambda images=images: images
        )
        term.begin(task)
        term.finish(task)
        traces += [weakref.ref(kept) for kept in (images, task.encoder, task.parent, task.parent_embeddings)]
    del images, task
    gc.collect()
    assert [trace() for trace in traces] == [None] * 16
    assert {name: value.numel() for name, value in term.state_dict().items()} == {"ranges": 4 * 2 * 6}


def test_state_survives_an_interruption(start, step):
    term = FeatureEstimationConfig().build()
    term.finish(start)
    other = FeatureEstimationConfig().build()
    other.load_state_dict(term.state_dict())
    torch.testing.assert_close(other.ranges, term.ranges)
    values = []
    for one in (term, other):
        torch.manual_seed(0)
        values.append(one(step(NEW, PARENT)).item())
    assert values[0] == values[1] > 0
