"""Ray without its chatter: a private instance on loopback, or the cluster that RAY_ADDRESS names."""

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QUIET = ("ray", "ray.train", "ray.tune", "ray.data", "ray.serve")


def prepare_environment() -> None:
    """Set what Ray and OpenMP read when they are loaded; what the user has set stays. Call it before that.

    A private instance gets a token of its own, so that no other user of this machine can send it code. For a
    cluster the user's own setting counts, else whether a token lies at hand.
    """
    # Threads that spin while they wait for each other make a step take several times as long as soon as
    # somebody else uses one of the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_TRAIN_ENABLE_STATE_TRACKING", "0")
    os.environ.setdefault("RAY_TRAIN_METRICS_ENABLED", "0")
    # How soon Ray Train sees that a worker is done, or dead; its own 2 s are half of a short sequence.
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.25")
    if not os.environ.get("RAY_ADDRESS"):
        # "No cluster" makes Ray listen on loopback only, as it does by itself on macOS and Windows. Where a
        # part of it still listens on all interfaces, the token guards it.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # An actor of its own, which waits for a cloud to take machines back.
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
    elif "RAY_AUTH_MODE" not in os.environ:
        has_token = "RAY_AUTH_TOKEN" in os.environ or (Path.home() / ".ray" / "auth_token").exists()
        os.environ["RAY_AUTH_MODE"] = "token" if has_token else "disabled"


@contextmanager
def ray_session(verbose: bool = False, cpus: int | None = None) -> Iterator[None]:
    """Join the cluster at RAY_ADDRESS, or run an instance of our own for as long as the block lasts."""
    prepare_environment()
    import ray

    level = logging.INFO if verbose else logging.ERROR
    address = os.environ.get("RAY_ADDRESS")
    if address:
        ray.init(address=address, log_to_driver=verbose, logging_level=level)
    else:
        ray.init(
            # Never somebody else's instance on this machine, which ray.init() would look for first.
            address="local",
            num_cpus=cpus,
            include_dashboard=False,
            log_to_driver=verbose,
            logging_level=level,
        )
    if not verbose:
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def work_in(folder: str) -> None:
    """Make `folder` the current one where this machine has it.

    Ray starts workers in folders of their own, and a relative path in an experiment means the folder in which
    the user stood.
    """
    if os.path.isdir(folder):
        os.chdir(folder)
