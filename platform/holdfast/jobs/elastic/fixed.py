"""A number of workers that does not change, without an actor for that."""

from typing import Any

from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy


class FixedPolicy(FixedScalingPolicy):
    """Ray's own, but for its coordinator, an actor that imports Ray Data before any worker starts: where
    workers wait, an autoscaler sees their placement group."""

    def after_controller_start(self, train_run_context: Any) -> None:
        """Registers nowhere."""

    def _maybe_send_resource_request(self) -> None:
        """Asks nobody."""
