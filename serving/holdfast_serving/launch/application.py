"""The Ray Serve application: gateway replicas, and one writer behind a handle."""

from ray import serve
from ray.serve import Application
from ray.serve.schema import LoggingConfig

from holdfast_serving.config import ServingConfig
from holdfast_serving.launch.gateway import Gateway
from holdfast_serving.writer import Writer

APPLICATION = "holdfast"
HEALTH_SECONDS = 1.0
UNBOUNDED = 1_000_000
"""Serve counts requests that are still being received. The gateway bounds those that it works on, and refuses
in the one shape."""


def build_application(config: ServingConfig, draining: bool = False) -> Application:
    """The application for `serve.run`. Running it again with another `draining` restarts nothing."""
    quiet = LoggingConfig(log_level="WARNING", enable_access_log=False)
    # A fixed version tells Serve that only `user_config` changed, so that it keeps the replicas. Ray offers
    # this to its declarative deployments only; without it, telling a replica to drain would restart it.
    writer = serve.deployment(Writer).options(
        name="writer",
        version="1",
        _internal=True,
        num_replicas=1,
        max_ongoing_requests=1024,
        health_check_period_s=HEALTH_SECONDS,
        graceful_shutdown_wait_loop_s=0.2,
        graceful_shutdown_timeout_s=20,
        ray_actor_options={"num_cpus": 0},
        logging_config=quiet,
    )
    gateway = serve.deployment(Gateway).options(
        name="gateway",
        version="1",
        _internal=True,
        num_replicas=config.replicas,
        max_ongoing_requests=UNBOUNDED,
        health_check_period_s=HEALTH_SECONDS,
        graceful_shutdown_wait_loop_s=0.2,
        graceful_shutdown_timeout_s=20,
        max_surge_percent=100,
        ray_actor_options={"num_cpus": config.cpus},
        user_config={"draining": draining},
        logging_config=quiet,
    )
    return gateway.bind(config, writer.bind(config))
