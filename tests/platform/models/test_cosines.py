import torch
from torch.nn import functional as F

from holdfast.models.cosines import cosines


def leaves():
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(5, 4, dtype=torch.float64, generator=generator)
    directions = 3 * torch.randn(7, 4, dtype=torch.float64, generator=generator)
    return embeddings.requires_grad_(), directions.requires_grad_()


def test_they_are_products_with_the_normalized_directions():
    embeddings, directions = leaves()
    torch.testing.assert_close(cosines(embeddings, directions), embeddings @ F.normalize(directions).T)


def test_gradients_are_those_of_finite_differences():
    assert torch.autograd.gradcheck(cosines, leaves())


def test_fixed_directions_get_no_gradient():
    embeddings, directions = leaves()
    cosines(embeddings, directions.detach()).square().sum().backward()
    own = embeddings.grad.clone()
    embeddings.grad = None
    (embeddings @ F.normalize(directions.detach()).T).square().sum().backward()
    torch.testing.assert_close(own, embeddings.grad)
    assert directions.grad is None


def test_a_direction_of_zero_length_has_cosine_zero():
    embeddings, directions = leaves()
    with torch.no_grad():
        directions[2] = 0
    found = cosines(embeddings, directions)
    found.sum().backward()
    assert not found[:, 2].any()
    assert directions.grad.isfinite().all()
