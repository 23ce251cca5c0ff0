"""Ray without its chatter: a private instance on loopback, or the cluster that RAY_ADDRESS names."""

import logging
import os
import re
import secrets
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.base import THREADS_VARIABLE, ClusterError, ConfigError, cpu_count, has_quota
from holdfast.jobs.ray_failures import explain

logger = logging.getLogger(__name__)

QUIET = ("ray", "ray.train", "ray.tune", "ray.data", "ray.serve")
CONNECT_SECONDS = 5
STARTS = 3
"""Ray gives a start half a minute, which a busy machine may exceed once."""
_BY_QUOTA = "HOLDFAST_THREADS_BY_QUOTA"
_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^\s:/\[\]@]+):(?P<port>\d{1,5})")


def prepare_environment(submits: bool = False) -> None:
    """Set what Ray and OpenMP read when they are loaded; what the user has set stays. Call it before that.

    A private instance gets a token of its own, so that no other user of this machine can send it code. For a
    cluster the user's own setting counts, else whether a token lies at hand.

    Args:
        submits: Ray is not started here, but a cluster's dashboard is talked to.
    """
    # Threads that spin while they wait for each other make a step take several times as long as soon as
    # somebody else uses one of the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if THREADS_VARIABLE not in os.environ and has_quota():
        os.environ.update({THREADS_VARIABLE: str(cpu_count()), _BY_QUOTA: "1"})
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_TRAIN_ENABLE_STATE_TRACKING", "0")
    os.environ.setdefault("RAY_TRAIN_METRICS_ENABLED", "0")
    # How soon Ray Train sees that a worker is done, or dead; its own 2 s are half of a short sequence.
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.25")
    # How soon it sees that a machine has announced its end, of which some leave half a minute in all.
    os.environ.setdefault("RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S", "1")
    if joins_cluster() or submits:
        if "RAY_AUTH_MODE" not in os.environ:
            has_token = (
                "RAY_AUTH_TOKEN" in os.environ
                or "RAY_AUTH_TOKEN_PATH" in os.environ
                or (Path.home() / ".ray" / "auth_token").exists()
            )
            os.environ["RAY_AUTH_MODE"] = "token" if has_token else "disabled"
        return
    # "No cluster" makes Ray listen on loopback only, as it does by itself on macOS and Windows. Where a
    # part of it still listens on all interfaces, the token guards it.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    # An actor of its own, which waits for a cloud to take machines back.
    os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")


def leave_threads_to_ray() -> None:
    """Ray gives each of its workers as many threads as CPUs, unless the variable is set when it starts."""
    if os.environ.pop(_BY_QUOTA, None):
        os.environ.pop(THREADS_VARIABLE, None)


def joins_cluster() -> bool:
    """Whether RAY_ADDRESS names a cluster; `local` is Ray's word for an instance of one's own."""
    return os.environ.get("RAY_ADDRESS", "").strip() not in ("", "local")


def cluster_address() -> str:
    """RAY_ADDRESS in the form that `ray.init` takes: `HOST:PORT`, or `auto`.

    Raises ConfigError for any other form, and within seconds where nobody listens: Ray would retry for
    minutes.
    """
    address = os.environ["RAY_ADDRESS"].strip()
    if address == "auto":
        return address
    scheme, mark, _ = address.partition("://")
    wanted = "Give HOST:PORT of the cluster's head, mostly port 6379, or unset it for an instance of your own"
    if mark and scheme in ("http", "https"):
        raise ConfigError(
            f"RAY_ADDRESS={address} is a dashboard's, which holdfast submit --address takes. {wanted}."
        )
    if mark:
        raise ConfigError(
            f"RAY_ADDRESS={address} is for clients, and Holdfast joins a cluster as one of its machines. "
            f"{wanted}; from outside, use holdfast submit."
        )
    found = _HOST_AND_PORT.fullmatch(address)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ConfigError(f"RAY_ADDRESS={address} has another form. {wanted}.")
    try:
        where = (found["host"].strip("[]"), int(found["port"]))
        socket.create_connection(where, timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise ConfigError(
            f"No Ray cluster answers at RAY_ADDRESS={address} ({error}): start one, or unset RAY_ADDRESS."
        ) from None
    return address


def join_cluster(**options: object) -> None:
    """`ray.init` at RAY_ADDRESS. Raises ConfigError where no cluster, or another one, answers there."""
    address = cluster_address()
    import ray

    try:
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"The Ray cluster at RAY_ADDRESS={address} cannot be joined: {reason} It has to run on this "
            "machine too (ray start --address=HEAD:PORT), with the same Ray, Python and token."
        ) from error


def start_own(**options: object) -> None:
    """`ray.init` of an instance of our own. Raises ClusterError where it does not start in `STARTS` tries."""
    os.environ.pop("RAY_ADDRESS", None)
    for _ in range(STARTS - 1):
        try:
            return _start_once(**options)
        except ClusterError:
            logger.warning("Ray has not started on this machine within half a minute; it is started again.")
    _start_once(**options)


def _start_once(**options: object) -> None:
    import ray

    try:
        # Never somebody else's instance on this machine, which ray.init() would look for first.
        ray.init(address="local", **options)
    except Exception as error:
        # Ray says this by a plain Exception.
        if "timed out" not in str(error):
            raise
        _end_processes(error)
        ray.shutdown()
        raise ClusterError(
            "Ray did not start on this machine in time, which is busy, or short of memory or of processes. "
            "Repeat the command when it is quieter; --verbose shows what Ray says."
        ) from error


def _end_processes(failed: Exception) -> None:
    """End those that a start has left, which Ray itself ends with this process, and knows no more before."""
    from ray._private.node import Node

    for frame, _ in traceback.walk_tb(failed.__traceback__):
        node = frame.f_locals.get("self")
        if isinstance(node, Node):
            node.kill_all_processes(check_alive=False, allow_graceful=False)
            return


@contextmanager
def ray_session(verbose: bool = False, cpus: int | None = None) -> Iterator[None]:
    """Join the cluster at RAY_ADDRESS, or run an instance of our own for as long as the block lasts.

    Args:
        cpus: of an instance of our own; by default as many as this process may use.
    """
    prepare_environment()
    leave_threads_to_ray()
    import ray

    level = logging.INFO if verbose else logging.ERROR
    if joins_cluster():
        join_cluster(log_to_driver=verbose, logging_level=level)
    else:
        start_own(
            num_cpus=cpus or cpu_count(), include_dashboard=False, log_to_driver=verbose, logging_level=level
        )
    if not verbose:
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    except Exception as error:
        found = explain(error)
        if found is error:
            raise
        raise found from error
    finally:
        ray.shutdown()


def work_in(folder: str) -> None:
    """Make `folder` the current one where this machine has it.

    Ray starts workers in folders of their own, and a relative path in an experiment means the folder in which
    the user stood.
    """
    if os.path.isdir(folder):
        os.chdir(folder)
