"""The Ray Serve application: gateway replicas, and one writer behind a handle."""

from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import LoggingConfig

from holdfast_serving.config import ServingConfig
from holdfast_serving.launch.gateway import Gateway
from holdfast_serving.writer import Writer

HEALTH_SECONDS = 1.0
LOOK_SECONDS = 1.0
"""How often a gateway says how many requests it works on, where these decide how many gateways there are."""
UNBOUNDED = 1_000_000
"""Serve counts requests that are still being received. The gateway bounds those that it works on, and refuses
in the one shape."""


def build_application(
    config: ServingConfig, version: str = "1", draining: bool = False, finds_writer: bool = False
) -> Application:
    """The application for `serve.run`.

    Args:
        version: of the replicas. Running it again with another `draining` alone restarts nothing; another
            version replaces all of them, each once its successor is there.
        finds_writer: whether another writer may hold the lease of the store, which lets go when it is asked.
    """
    quiet = LoggingConfig(log_level="WARNING", enable_access_log=False)
    # A fixed version tells Serve that only `user_config` changed, so that it keeps the replicas. Ray offers
    # this to its declarative deployments only; without it, telling a replica to drain would restart it.
    writer = serve.deployment(Writer).options(
        name="writer",
        version=version,
        _internal=True,
        num_replicas=1,
        max_ongoing_requests=1024,
        health_check_period_s=HEALTH_SECONDS,
        graceful_shutdown_wait_loop_s=0.2,
        graceful_shutdown_timeout_s=20,
        max_surge_percent=100,
        ray_actor_options={"num_cpus": 0},
        logging_config=quiet,
    )
    gateway = serve.deployment(Gateway).options(
        name="gateway",
        version=version,
        _internal=True,
        max_ongoing_requests=UNBOUNDED,
        health_check_period_s=HEALTH_SECONDS,
        graceful_shutdown_wait_loop_s=0.2,
        graceful_shutdown_timeout_s=20,
        max_surge_percent=100,
        ray_actor_options={"num_cpus": config.cpus, "num_gpus": config.gpus},
        user_config={"draining": draining},
        logging_config=quiet,
        **_how_many(config),
    )
    return gateway.bind(config, writer.bind(config, finds_writer))


def _how_many(config: ServingConfig) -> dict[str, Any]:
    wanted = config.autoscaling
    if wanted is None:
        return {"num_replicas": config.replicas}
    scaling = AutoscalingConfig(
        min_replicas=config.replicas,
        max_replicas=wanted.max,
        target_ongoing_requests=wanted.ongoing,
        upscale_delay_s=wanted.up_seconds,
        downscale_delay_s=wanted.down_seconds,
        metrics_interval_s=LOOK_SECONDS,
        look_back_period_s=max(2 * LOOK_SECONDS, wanted.up_seconds),
    )
    return {"autoscaling_config": scaling}
