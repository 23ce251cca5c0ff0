"""Feature replay: vectors of earlier classes, drawn from what is known of them in the base's space."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from holdfast.base import ConfigError
from holdfast.models import Projection
from holdfast.regularizers.recipe.class_statistics import OF_BASE, sample_task
from holdfast.regularizers.recipe.replay import Replay, ReplayConfig
from holdfast.regularizers.regularizer import Setting, Step, TaskStart


class FeatureReplayConfig(ReplayConfig):
    """For projections alone: nothing else has a space in which an earlier class stays where it was."""

    kind: Literal["feature-replay"] = "feature-replay"
    weight: float = Field(default=4.0, ge=0)

    def build(self) -> "FeatureReplay":
        return FeatureReplay(self)

    def check(self, setting: Setting) -> None:
        if setting.model.base is None:
            raise ConfigError(
                "regularizers: 'feature-replay' draws vectors of a frozen base, and model.trunk learns: take "
                "'feature-distillation', or set model.trunk to a version with train: none."
            )


class FeatureReplay(Replay):
    """Of each class the mean is kept, in the space of the base, and one covariance for all classes; as the
    base never moves, neither grows old, and no vector of an image is kept. A drawn vector is normalize(mean +
    noise of that covariance). The directions of earlier classes are learned along with the head's own, both
    from where the means lie as the task begins.

    Deep streaming LDA (Hayes and Kanan 2020) describes classes in a frozen space like this; classifiers were
    aligned on draws from it by SLCA (Zhang et al. 2023). Here it is the map that learns from them.
    """

    space = OF_BASE
    directions: nn.Parameter

    def __init__(self, config: FeatureReplayConfig) -> None:
        super().__init__(config)
        self.directions = nn.Parameter(torch.empty(0, 0))

    @torch.no_grad()
    def begin(self, task: TaskStart) -> None:
        assert isinstance(task.encoder, Projection), "checked before the run"
        self.begin_head(task)
        # Without earlier classes the statistics do not know yet how wide the base is.
        earlier = functional.normalize(self.statistics.earlier(task)).reshape(-1, task.encoder.base_dimension)
        found = torch.from_numpy(task.encoder.embed(earlier.cpu().numpy()))
        self.directions = nn.Parameter(found.to(task.labels.device))
        self.resume(task)

    def embed_drawn(self, vectors: Tensor, step: Step) -> Tensor:
        return step.encode(vectors)

    def finish(self, task: TaskStart) -> None:
        rows, labels = sample_task(task)
        self.statistics.add(task, torch.from_numpy(rows).float().to(labels.device), labels)
