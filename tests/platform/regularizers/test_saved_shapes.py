import torch
from torch import nn

from holdfast.regularizers.saved_shapes import SavedShapes


class Holder(SavedShapes):
    def __init__(self, rows: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.ones(rows, 3))
        self.register_buffer("counts", torch.zeros(rows, dtype=torch.int64))
        self.turns = nn.Parameter(torch.zeros(rows, rows))


def test_parameters_and_buffers_take_the_saved_shape_and_keep_their_type():
    saved, fresh = nn.ModuleDict({"deep": Holder(5)}), nn.ModuleDict({"deep": Holder(2)})
    fresh.load_state_dict(saved.state_dict())
    holder = fresh["deep"]
    assert holder.rows.shape == (5, 3)
    assert (holder.counts.shape, holder.counts.dtype) == ((5,), torch.int64)
    assert [parameter.shape for parameter in fresh.parameters()] == [(5, 5)]
    assert set(fresh.state_dict()) == set(saved.state_dict())


def test_what_was_not_saved_stays():
    holder, state = Holder(2), Holder(4).state_dict()
    del state["rows"]
    missing, _ = holder.load_state_dict(state, strict=False)
    assert missing == ["rows"]
    torch.testing.assert_close(holder.rows, torch.ones(2, 3))
    assert holder.counts.shape == (4,)
