import torch
from torch import nn

from holdfast.regularizers.buffers import take_saved_shapes


def holder(shape: tuple[int, ...]) -> nn.Module:
    module = nn.Module()
    module.register_buffer("rows", torch.ones(shape))
    module.register_buffer("counts", torch.zeros(1, dtype=torch.int64))
    return module


def test_buffers_take_the_saved_shape_and_keep_their_type():
    module = holder((2, 3))
    take_saved_shapes(module, {"deep.rows": torch.zeros(5, 1), "deep.counts": torch.zeros(4)}, "deep.")
    assert module.rows.shape == (5, 1)
    assert (module.counts.shape, module.counts.dtype) == ((4,), torch.int64)
    assert set(module.state_dict()) == {"rows", "counts"}


def test_what_was_not_saved_stays():
    module = holder((2, 3))
    take_saved_shapes(module, {"rows": torch.zeros(1, 3)}, "deep.")
    torch.testing.assert_close(module.rows, torch.ones(2, 3))
