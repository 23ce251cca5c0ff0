"""Ray's trainer with the policies of this room, and with no more helpers than its Ray has use for."""

from typing import Any

from ray.train import Result
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.execution.callback import RayTrainCallback

from holdfast.jobs.elastic.fixed import FixedPolicy
from holdfast.jobs.elastic.policy import ElasticPolicy


class HoldfastTrainer(TorchTrainer):
    """A TorchTrainer whose group of workers changes as `ElasticPolicy` says, where it may.

    Args:
        host: the run's.
        shared: whether its Ray is a cluster, which outlives it.
    """

    def __init__(self, host: Any, shared: bool, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._host, self._shared = host, shared

    def _create_default_callbacks(self) -> list[RayTrainCallback]:
        """What cleans up after a controller that died is a process, and a Ray of one's own ends with it."""
        callbacks: list[RayTrainCallback] = super()._create_default_callbacks()
        if self._shared:
            return callbacks
        return [each for each in callbacks if not isinstance(each, PlacementGroupCleanerCallback)]

    def _initialize_and_run_controller(self, **arguments: Any) -> Result:
        elastic = self.scaling_config.elasticity_enabled
        arguments["scaling_policy"] = (
            ElasticPolicy(self.scaling_config, self._host, self._shared)
            if elastic
            else FixedPolicy(self.scaling_config)
        )
        return super()._initialize_and_run_controller(**arguments)
