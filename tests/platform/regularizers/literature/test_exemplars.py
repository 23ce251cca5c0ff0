import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.base import ConfigError
from holdfast.models import ModelConfig, Preprocessing, Projection, VersionTrunkConfig
from holdfast.regularizers import Setting
from holdfast.regularizers.literature.exemplars import ExemplarMemory, check_budget, class_key, herd

IMAGE = 64  # bytes of an 8 x 8 grey image


@pytest.fixture
def task(start):
    """A task of `each` images of every name, whose pixels tell where they come from."""

    def make(names: str, each: int = 6, seed: int = 0):
        images = np.random.default_rng(seed).integers(0, 255, (len(names) * each, 1, 8, 8), np.uint8)
        return dataclasses.replace(
            start,
            load_images=lambda: images,
            labels=torch.arange(len(images)) % len(names),
            classes=len(names),
            class_names=tuple(names),
        )

    return make


def held(memory: ExemplarMemory, name: str) -> torch.Tensor:
    return memory.images[memory.classes == class_key(name)]


def of(task, name: str) -> np.ndarray:
    return task.load_images()[task.labels.numpy() == task.class_names.index(name)]


def rows(images) -> set[bytes]:
    return {np.asarray(image).tobytes() for image in images}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    budget=st.integers(0, 30 * IMAGE),
    names=st.lists(
        st.text("abcdefg", min_size=2, max_size=4).map(lambda t: "".join(sorted(set(t)))), max_size=4
    ),
    selection=st.sampled_from(["herding", "reservoir"]),
)
def test_the_budget_is_never_exceeded_and_classes_have_equal_shares(task, budget, names, selection):
    memory = ExemplarMemory(budget, selection)
    seen: dict[str, set[bytes]] = {}
    for number, some in enumerate(names):
        new = task(some, each=4, seed=number)
        memory.fill(new)
        for name in some:
            seen.setdefault(name, set()).update(rows(of(new, name)))
        assert memory.images.nbytes <= budget
        share = budget // IMAGE // len(seen)
        for name, known in seen.items():
            kept = rows(held(memory, name))
            assert kept <= known
            assert len(held(memory, name)) == len(kept)
            assert len(kept) <= share
            # Whoever has enough images fills its share; a class never gets images back that it gave up.
            if name in some:
                assert len(kept) >= min(share, 4)
        assert memory.count == len(memory.images) == len(memory.priorities)
        assert len(memory.seen) == len(seen)


@pytest.mark.parametrize("selection", ["herding", "reservoir"])
def test_earlier_classes_shrink_to_their_best(task, selection):
    memory = ExemplarMemory(12 * IMAGE, selection)
    memory.fill(task("ab"))
    assert [len(held(memory, name)) for name in "ab"] == [6, 6]
    first = memory.priorities[memory.classes == class_key("a")]
    best = rows(held(memory, "a")[first.argsort()[:3]])
    memory.fill(task("cd", seed=1))
    assert [len(held(memory, name)) for name in "abcd"] == [3, 3, 3, 3]
    assert rows(held(memory, "a")) == best


def test_herding_by_hand():
    """Mean (1, 0.2) / 3: first the nearest direction to it, then those that keep the running mean near."""
    points = np.array([[0.0, 1.0], [1.0, 0.0], [0.6, -0.8]])
    mean = points.mean(axis=0)
    order = herd(points, 3)
    assert order.tolist() == [1, 0, 2]
    for place in range(1, 4):
        best = min(
            np.linalg.norm(mean - points[[*order[: place - 1], other]].mean(axis=0))
            for other in set(range(3)) - set(order[: place - 1].tolist())
        )
        assert np.linalg.norm(mean - points[order[:place]].mean(axis=0)) == pytest.approx(best)


@given(seed=st.integers(0, 1000), count=st.integers(0, 12))
def test_herding_takes_each_once_and_shorter_orders_are_its_beginnings(seed, count):
    points = np.random.default_rng(seed).normal(size=(9, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    whole = herd(points, 9)
    assert sorted(whole.tolist()) == list(range(9))
    assert herd(points, count).tolist() == whole[:count].tolist()


def test_herding_keeps_the_mean_of_the_encoders_embeddings(task):
    new = task("ab", each=20)
    memory = ExemplarMemory(8 * IMAGE, "herding")
    memory.fill(new)
    embeddings = new.encoder.embed(of(new, "a"))
    kept = new.encoder.embed(held(memory, "a").numpy())
    random = [
        np.linalg.norm(
            embeddings[np.random.default_rng(seed).permutation(20)[:4]].mean(0) - embeddings.mean(0)
        )
        for seed in range(20)
    ]
    assert np.linalg.norm(kept.mean(0) - embeddings.mean(0)) < np.mean(random) / 2


def test_the_reservoir_is_uniform_over_tasks(task):
    """Class a comes in three tasks of 4, 4 and 8 images; in the end each is as likely to be held."""
    parts = [task("ab", each=each, seed=seed) for seed, each in enumerate((4, 4, 8))]
    everything = [row for part in parts for row in of(part, "a")]
    found = np.zeros(16)
    torch.manual_seed(0)
    for _ in range(400):
        memory = ExemplarMemory(8 * IMAGE, "reservoir")
        for part in parts:
            memory.fill(part)
        kept = rows(held(memory, "a"))
        found += [row.tobytes() in kept for row in everything]
    assert found.sum() == 400 * 4
    # Expected 100 each, standard deviation 8.7.
    assert np.abs(found - 100).max() < 4 * 8.7


@pytest.mark.parametrize("selection", ["herding", "reservoir"])
def test_images_that_come_again_are_held_once(task, selection):
    memory = ExemplarMemory(40 * IMAGE, selection)
    memory.fill(task("ab"))
    memory.fill(task("ab"))
    assert memory.count == 12
    assert len(rows(memory.images)) == 12


def test_draws_pixels_of_held_images_with_their_classes(task):
    new = task("abc")
    memory = ExemplarMemory(6 * IMAGE, "herding")
    memory.fill(new)
    torch.manual_seed(0)
    pixels, classes = memory.draw(50)
    assert pixels.shape == (50, 1, 8, 8)
    assert pixels.dtype == torch.float32
    back = (pixels * 255).round().to(torch.uint8)
    for image, key in zip(back, classes, strict=True):
        assert rows([image.contiguous()]) <= rows(memory.images[memory.classes == key])
    torch.manual_seed(0)
    assert torch.equal(memory.draw(50)[0], pixels)


def test_state_survives_another_number_of_images(task):
    memory = ExemplarMemory(9 * IMAGE, "reservoir")
    memory.fill(task("abc"))
    other = ExemplarMemory(9 * IMAGE, "reservoir")
    other.load_state_dict(memory.state_dict())
    for name, buffer in memory.named_buffers():
        assert torch.equal(buffer, dict(other.named_buffers())[name]), name
    assert other.images.dtype == torch.uint8
    assert other.seen_with(("a", "z")) == 4
    other.load_state_dict(ExemplarMemory(9 * IMAGE, "reservoir").state_dict())
    assert other.count == 0


def test_of_a_projection_vectors_are_held_as_they_are(start):
    base = VersionTrunkConfig(name="v1", train="none", contract="base", dimension=6)
    vectors = np.random.default_rng(0).standard_normal((12, 6)).astype(np.float32)
    setting = Setting("class-incremental", (start.class_names,), ModelConfig(trunk=base, dimension=6), None)
    budget = 3 * 2 * vectors[0].nbytes
    check_budget("rehearsal", budget, setting, "do without")
    with pytest.raises(ConfigError, match="not one vector of 24 bytes"):
        check_budget("rehearsal", 23, setting, "do without")
    memory = ExemplarMemory(budget, "herding")
    memory.fill(dataclasses.replace(start, encoder=Projection.identity(base), load_images=lambda: vectors))
    other = ExemplarMemory(budget, "herding")
    other.load_state_dict(memory.state_dict())
    drawn, classes = other.draw(50)
    assert (memory.count, drawn.dtype) == (6, torch.float32)
    for vector, key in zip(drawn.numpy(), classes.tolist(), strict=True):
        assert vector in vectors[start.labels.numpy() == [*map(class_key, "abc")].index(key)]


def test_a_budget_below_one_image_a_class_is_refused():
    model = ModelConfig(dimension=16, preprocessing=Preprocessing(size=8))
    setting = Setting("extended-class", (("a", "b"), ("a", "b", "c")), model, None)
    check_budget("rehearsal", 3 * IMAGE, setting, "do without")
    with pytest.raises(
        ConfigError, match=r"'rehearsal' has memory_bytes 191.*64 bytes.*3 classes.*192.*do wit"
    ):
        check_budget("rehearsal", 3 * IMAGE - 1, setting, "do without")
