import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from holdfast.regularizers import CorrelationDistillationConfig
from holdfast.regularizers.recipe.correlation_distillation import correlation_divergence


def random_units(seed: int, rows: int, width: int) -> torch.Tensor:
    return functional.normalize(
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


@given(seed=st.integers(0, 1000), rows=st.integers(2, 9), temperature=st.floats(0.1, 5))
def test_equals_kl_div_batchmean_times_temperature_squared(seed: int, rows: int, temperature: float):
    """Against the definition written out with logarithms, in float64."""
    new, old = random_units(seed, rows, 5).double(), random_units(seed + 1, rows, 5).double()
    p = torch.softmax(old @ old.T / temperature, dim=1)
    q = torch.softmax(new @ new.T / temperature, dim=1)
    expected = (p * (p.log() - q.log())).sum(dim=1).mean() * temperature**2
    torch.testing.assert_close(correlation_divergence(new, old, temperature), expected)


def test_blind_to_a_rotation_and_to_the_width(step):
    """Only the Gram matrix counts: the loss keeps the shape, never the frame."""
    old = random_units(0, 8, 5)
    rotation = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(3))).Q
    term = CorrelationDistillationConfig(temperature=0.25).build()
    assert abs(term(step(old @ rotation, old)).item()) < 1e-6
    wider = torch.cat([old, torch.zeros(8, 4)], dim=1)
    assert abs(term(step(wider, old)).item()) < 1e-6
    assert term(step(random_units(9, 8, 5), old)).item() > 1e-3
