"""What every classification head keeps to."""

import pytest
import torch
from pydantic import TypeAdapter
from torch.nn import functional as F

from holdfast.models import AnyHeadConfig, HeadConfig

CLASSES = 5


class HeadContract:
    """Give it the fixture `config`; `dimension` too, if it cannot be 16."""

    @pytest.fixture
    def config(self) -> HeadConfig:
        raise NotImplementedError("give the suite a fixture `config`")

    @pytest.fixture
    def dimension(self) -> int:
        return 16

    def test_its_config_is_read_as_it_is_written(self, config: HeadConfig) -> None:
        assert TypeAdapter(AnyHeadConfig).validate_python(config.model_dump(mode="json")) == config

    def test_its_loss_is_a_finite_scalar_from_which_embeddings_learn(
        self, config: HeadConfig, dimension: int
    ) -> None:
        config.check_dimension(dimension)
        torch.manual_seed(0)
        head = config.build(dimension, CLASSES, range(CLASSES))
        rows = torch.randn(10, dimension, requires_grad=True)
        loss = head(F.normalize(rows), torch.arange(10) % CLASSES)
        assert loss.shape == ()
        assert loss.dtype == torch.float32
        loss.backward()
        assert rows.grad is not None
        assert rows.grad.isfinite().all()
        assert rows.grad.abs().sum() > 0

    def test_its_directions_are_one_a_class(self, config: HeadConfig, dimension: int) -> None:
        head = config.build(dimension, CLASSES, range(CLASSES))
        assert head.classes == CLASSES
        directions = head.unit_directions()
        assert directions.shape == (CLASSES, dimension)
        torch.testing.assert_close(directions.norm(dim=1), torch.ones(CLASSES))
        assert head.logits(directions).shape == (CLASSES, CLASSES)
        assert any(each.requires_grad for each in head.parameters()) == config.learns

    def test_it_tells_apart_what_lies_at_its_directions(self, config: HeadConfig, dimension: int) -> None:
        head = config.build(dimension, CLASSES, range(CLASSES))
        found = head.logits(head.unit_directions()).argmax(1)
        assert found.tolist() == list(range(CLASSES))
