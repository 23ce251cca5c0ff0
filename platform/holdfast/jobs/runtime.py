"""Starting Ray, or joining the cluster that a job was submitted to, without its chatter."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray


def quiet_environment() -> dict[str, str]:
    """Environment of every Ray process that Holdfast starts; what the user has set stays."""
    defaults = {
        # A cluster that Ray starts by itself asks for a token from 2.60 on; said here so that a cluster
        # started by hand behaves the same.
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_TRAIN_ENABLE_STATE_TRACKING": "0",
        "RAY_LOG_TO_DRIVER_EVENT_LEVEL": "ERROR",
        "RAY_AIR_NEW_OUTPUT": "0",
    }
    return {name: value for name, value in defaults.items() if name not in os.environ}


@contextmanager
def ray_session(verbose: bool = False, cpus: int | None = None) -> Iterator[None]:
    """Join the cluster at RAY_ADDRESS, or run one of this machine's own for as long as the block lasts."""
    os.environ.update(quiet_environment())
    if ray.is_initialized():
        yield
        return
    level = logging.INFO if verbose else logging.ERROR
    address = os.environ.get("RAY_ADDRESS")
    if address:
        ray.init(address=address, log_to_driver=verbose, logging_level=level)
    else:
        ray.init(
            address="local",
            num_cpus=cpus,
            include_dashboard=False,
            log_to_driver=verbose,
            logging_level=level,
            _node_ip_address="127.0.0.1",
        )
    if not verbose:
        for name in ("ray", "ray.train", "ray.tune", "ray.data", "ray.serve"):
            logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()
