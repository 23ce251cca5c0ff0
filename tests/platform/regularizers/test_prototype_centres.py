import pytest
import torch
from torch.nn import functional

from holdfast.regularizers import PrototypeCentresConfig


def random_units(seed: int, rows: int, width: int) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def mean_of(start, label: int) -> torch.Tensor:
    return start.parent_embeddings[start.labels == label].mean(dim=0)


def test_is_the_squared_distance_to_the_plain_mean(start, step):
    term = PrototypeCentresConfig().build()
    term.begin(start)
    new, labels = random_units(0, 3, 6).requires_grad_(), torch.tensor([0, 2, 2])
    distances = [
        (row - mean_of(start, label)).square().sum() for row, label in zip(new, [0, 2, 2], strict=True)
    ]
    loss = term(step(new, None, labels))
    torch.testing.assert_close(loss, torch.stack(distances).mean())
    loss.backward()
    assert new.grad.abs().sum() > 0
    assert not list(term.parameters())


def test_wider_new_model_is_compared_in_the_old_dimensions(start, step):
    term = PrototypeCentresConfig(mix=True).build()
    term.begin(start)
    new, labels = random_units(0, 3, 6), torch.tensor([0, 1, 2])
    narrow = term(step(new, None, labels))
    term.begin(start)
    wide = functional.normalize(torch.cat([new, torch.ones(3, 4)], dim=1), dim=1)
    torch.testing.assert_close(term(step(wide, None, labels)), narrow)


def test_moving_centres_by_hand(start, step):
    """Two steps with eta 0.7 and rho 0.5: the queue has one image of class 1, then two."""
    term = PrototypeCentresConfig(mix=True, queue=8).build()
    term.begin(start)
    first, second = random_units(0, 1, 6), random_units(1, 1, 6)
    old, label = mean_of(start, 1), torch.tensor([1])

    loss = term(step(first, None, label))
    torch.testing.assert_close(loss, (first[0] - old).square().sum())
    moved = 0.7 * old + 0.3 * first[0]
    torch.testing.assert_close(term.moving[1], moved)
    torch.testing.assert_close(term.moving[0], mean_of(start, 0))

    loss = term(step(second, None, label))
    torch.testing.assert_close(loss, (second[0] - (old + moved) / 2).square().sum())
    torch.testing.assert_close(term.moving[1], 0.7 * moved + 0.3 * (first[0] + second[0]) / 2)


@pytest.mark.parametrize("batches", [(3, 3, 3), (9,), (2, 7)])
def test_the_queue_holds_the_newest(start, step, batches):
    term = PrototypeCentresConfig(mix=True, queue=4).build()
    term.begin(start)
    new, labels = random_units(0, 9, 6), torch.arange(9) % 3
    for rows, numbers in zip(new.split(batches), labels.split(batches), strict=True):
        term(step(rows, None, numbers))
    held = sorted(zip(term.queue.tolist(), term.queue_labels.tolist(), strict=True))
    assert held == sorted(zip(new[-4:].tolist(), labels[-4:].tolist(), strict=True))


def test_no_share_of_the_moving_centre_is_the_fixed_one(start, step):
    fixed, mixed = PrototypeCentresConfig().build(), PrototypeCentresConfig(mix=True, rho=0).build()
    fixed.begin(start)
    mixed.begin(start)
    for seed in range(3):
        one = step(random_units(seed, 3, 6), None, torch.tensor([0, 1, 1]))
        torch.testing.assert_close(mixed(one), fixed(one))
    assert (mixed.moving - mixed.prototypes).norm() > 0.1


def test_gradient_does_not_reach_back_through_the_queue(start, step):
    term = PrototypeCentresConfig(mix=True).build()
    term.begin(start)
    first, second = (random_units(seed, 2, 6).requires_grad_() for seed in (0, 1))
    labels = torch.tensor([0, 1])
    term(step(first, None, labels))
    term(step(second, None, labels)).backward()
    assert first.grad is None
    assert second.grad.abs().sum() > 0


def test_an_interrupted_task_goes_on_where_it_was(start, step):
    term = PrototypeCentresConfig(mix=True, queue=5).build()
    term.begin(start)
    labels = torch.tensor([0, 1, 1])
    term(step(random_units(0, 3, 6), None, labels))
    other = PrototypeCentresConfig(mix=True, queue=5).build()
    other.load_state_dict({name: value.clone() for name, value in term.state_dict().items()})
    for seed in range(1, 4):
        one = step(random_units(seed, 3, 6), None, labels)
        assert other(one) == term(one)
