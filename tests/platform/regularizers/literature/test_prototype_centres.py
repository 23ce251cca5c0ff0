import torch
from torch.nn import functional

from holdfast.regularizers.literature import PrototypeCentresConfig


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
    term = PrototypeCentresConfig().build()
    term.begin(start)
    new, labels = random_units(0, 3, 6), torch.tensor([0, 1, 2])
    narrow = term(step(new, None, labels))
    term.begin(start)
    wide = functional.normalize(torch.cat([new, torch.ones(3, 4)], dim=1), dim=1)
    torch.testing.assert_close(term(step(wide, None, labels)), narrow)
