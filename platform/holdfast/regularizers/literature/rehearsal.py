"""Rehearsal: a few old images keep the place where the parent put them."""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from holdfast.regularizers.dimensions import shared_dimensions
from holdfast.regularizers.literature.exemplars import ExemplarMemory, Selection, check_budget
from holdfast.regularizers.regularizer import Regularizer, RegularizerConfig, Setting, Step, TaskStart


class RehearsalConfig(RegularizerConfig):
    """`memory_bytes` must be given: Holdfast keeps no old image unless it is told to."""

    kind: Literal["rehearsal"] = "rehearsal"
    weight: float = Field(default=5.0, ge=0)
    memory_bytes: int = Field(default=0, ge=0)
    """Of images (one byte a pixel and channel; of a projection vectors, four a number), over all classes,
    whatever their number."""
    selection: Selection = "herding"
    rehearsed: int = Field(default=64, ge=2)
    """How many old images are drawn for each step."""

    def build(self) -> "Rehearsal":
        return Rehearsal(self.memory_bytes, self.selection, self.rehearsed)

    def check(self, setting: Setting) -> None:
        check_budget(
            self.kind,
            self.memory_bytes,
            setting,
            "use 'feature-distillation', which distils on the new images and needs no memory",
        )


class Rehearsal(Regularizer):
    """sqrt(classes of this task / classes seen) * mean (1 - cos(new, parent)) over rehearsed images only.

    The distillation of CL2R (Biondi et al., TOMM 2023; methods section 8), whose base weight of 5 is this
    term's weight. Classes seen are those of the whole sequence so far, this task's included. Each step draws
    images that `finish` kept of earlier tasks, clean ones; the models embed them apart from the batch, so
    batch normalization treats them as a batch of their own. As long as nothing is kept the term is 0.

    CL2R's classifier is the head `simplex`. It also classifies the rehearsed images there. That half is left
    out: a head has rows for its own task's classes only, and a learned one never had any other.
    """

    share: Tensor

    def __init__(self, memory_bytes: int, selection: Selection, rehearsed: int) -> None:
        super().__init__()
        self.memory = ExemplarMemory(memory_bytes, selection)
        self.rehearsed = rehearsed
        self.register_buffer("share", torch.ones(()))

    def begin(self, task: TaskStart) -> None:
        share = math.sqrt(task.classes / self.memory.seen_with(task.class_names))
        self.share = torch.tensor(share, device=task.labels.device)

    def forward(self, step: Step) -> Tensor:
        if self.memory.count == 0:
            return step.embeddings.new_zeros(())
        pixels, _ = self.memory.draw(self.rehearsed)
        new, parent = shared_dimensions(step.encode(pixels), step.encode_with_parent(pixels))
        return self.share * (1 - functional.cosine_similarity(new, parent, dim=1)).mean()

    def finish(self, task: TaskStart) -> None:
        self.memory.fill(task)
