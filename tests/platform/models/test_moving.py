"""Which models run on another device, and that all parts of one do."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from holdfast.models import Encoder, Model, ModelConfig, ProjectedModel, Projection, move_to
from holdfast.models.foreign import FileModel

META = torch.device("meta")
"""A device that every machine has: it computes nothing, but tells what was brought there."""


class Stays:
    """What runs a file, on processors alone."""

    def embed_images(self, pixels: np.ndarray) -> np.ndarray:
        return np.ones((len(pixels), 4), np.float32)


class Moves(Stays):
    device: torch.device | None = None

    def move(self, device: torch.device) -> None:
        self.device = device


def of_file(network: Any) -> Any:
    config = SimpleNamespace(start=lambda folder: network, takes_text=False)
    return FileModel(config, Path("nowhere"), SimpleNamespace(dimension=4))  # type: ignore[arg-type]


def test_a_network_that_was_learned_here_moves_with_all_its_weights() -> None:
    encoder = Encoder(ModelConfig(dimension=8, width=0.25)).eval()
    assert move_to(encoder, META)
    assert {tensor.device for tensor in encoder.state_dict().values()} == {META}


@pytest.mark.parametrize(("network", "moves"), [(Moves(), True), (Stays(), False)])
def test_a_file_moves_where_what_runs_it_does(network: Any, moves: bool) -> None:
    model: Model = of_file(network)
    assert move_to(model, META) == moves
    assert getattr(network, "device", None) == (META if moves else None)


@pytest.mark.parametrize(("network", "moves"), [(Moves(), True), (Stays(), False)])
def test_a_projection_moves_and_its_base_where_it_can(network: Any, moves: bool) -> None:
    projection = Projection.__new__(Projection)
    torch.nn.Module.__init__(projection)
    projection.linear = torch.nn.Linear(4, 2)
    model = ProjectedModel.__new__(ProjectedModel)
    model.base, model.projection = of_file(network), projection
    assert move_to(model, META) == moves
    assert projection.linear.weight.device == META


def test_what_answers_from_elsewhere_stays() -> None:
    assert not move_to(SimpleNamespace(dimension=4), META)  # type: ignore[arg-type]
