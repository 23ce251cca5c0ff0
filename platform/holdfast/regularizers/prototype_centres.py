"""Prototype centres: every new embedding near the mean of what the parent made of its class."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from holdfast.regularizers.buffers import take_saved_shapes
from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.regularizer import Step, TaskStart
from holdfast.settings import Settings


class PrototypeCentresConfig(Settings):
    """Fixed centres, or (`mix`) centres that follow the new model part of the way."""

    kind: Literal["prototype-centres"] = "prototype-centres"
    weight: float = Field(default=1.0, ge=0)
    mix: bool = False
    queue: int = Field(default=4096, ge=1)
    """With `mix`: of how many recent embeddings the new centres are means."""
    eta: float = Field(default=0.7, ge=0, le=1)
    """With `mix`: how much of a moving centre stays at each step."""
    rho: float = Field(default=0.5, ge=0, le=1)
    """With `mix`: the moving centre's share in the target; 0 gives the fixed centres."""

    def build(self) -> "PrototypeCentres":
        return PrototypeCentres(self)


class PrototypeCentres(nn.Module):
    """mean_i ||phi_n(x_i) - P_y||^2, the centre reading of Dual-Tuning's prototype loss [R].

    P_c is the plain mean of the parent's embeddings of class c, not normalized, so that a class that the
    parent scatters pulls less (Bai et al. 2023, methods section 2b; their loss file is not public). With
    `mix` the target is (1 - rho) P_c + rho Q_c. Q_c begins at P_c, and after each step that has class c it
    becomes eta Q_c + (1 - eta) times the mean of the class in a queue of the newest embeddings, this step's
    included. Widths may differ (`shared_dimensions`): centres and queue have the parent's.
    """

    prototypes: Tensor
    moving: Tensor
    queue: Tensor
    queue_labels: Tensor
    cursor: Tensor

    def __init__(self, config: PrototypeCentresConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("prototypes", torch.empty(0, 0))
        self.register_buffer("moving", torch.empty(0, 0))
        self.register_buffer("queue", torch.empty(0, 0))
        # int64 (queue,), -1 where nothing was written yet.
        self.register_buffer("queue_labels", torch.empty(0, dtype=torch.int64))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.int64))

    def begin(self, task: TaskStart) -> None:
        members = functional.one_hot(task.labels, task.classes).T.to(task.parent_embeddings.dtype)
        self.prototypes = members @ task.parent_embeddings / members.sum(dim=1, keepdim=True)
        if self.config.mix:
            self.moving = self.prototypes.clone()
            self.queue = self.prototypes.new_zeros(self.config.queue, self.prototypes.shape[1])
            self.queue_labels = task.labels.new_full((self.config.queue,), -1)
            self.cursor = torch.zeros_like(self.cursor)

    def forward(self, step: Step) -> Tensor:
        new, prototypes = shared_dimensions(step.embeddings, self.prototypes)
        targets = prototypes
        if self.config.mix:
            targets = torch.lerp(prototypes, self.moving, self.config.rho)
        loss = (new - targets[step.labels]).square().sum(dim=1).mean()
        if self.config.mix:
            self._follow(new.detach(), step.labels)
        return loss

    def _follow(self, new: Tensor, labels: Tensor) -> None:
        size = self.config.queue
        new, labels = new[-size:], labels[-size:]
        places = (self.cursor + torch.arange(len(new), device=new.device)) % size
        self.queue[places], self.queue_labels[places] = new, labels
        self.cursor = (self.cursor + len(new)) % size
        present = labels.unique()
        members = (self.queue_labels == present[:, None]).to(new.dtype)
        means = members @ self.queue / members.sum(dim=1, keepdim=True)
        # A new tensor: the graph of this step's loss still holds the old one.
        self.moving = self.moving.index_copy(
            0, present, torch.lerp(means, self.moving[present], self.config.eta)
        )

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *rest: object) -> None:
        # The number of classes differs between tasks.
        take_saved_shapes(self, state, prefix)
        super()._load_from_state_dict(state, prefix, *rest)
