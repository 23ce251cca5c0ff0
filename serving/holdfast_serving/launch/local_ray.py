"""Ray for one server: a quiet private instance on loopback, or the cluster at RAY_ADDRESS."""

import logging
import os
from pathlib import Path
from typing import Any

from holdfast.jobs import join_cluster, joins_cluster, leave_threads_to_ray, prepare_environment, start_own
from holdfast_serving.launch.listening import Listening
from holdfast_serving.launch.ports import addresses_of
from holdfast_serving.launch.proxy import prepare_proxy

OBJECT_STORE_BYTES = 200 * 1024 * 1024
"""Requests and vectors go through sockets; next to nothing goes through the object store."""


def prepare_serving(
    folder: Path, host: str, port: int, receive_seconds: float, verbose: bool
) -> tuple[str, Listening | None]:
    """Must run before ray is imported, which reads some of these. `folder` is private and outlives Ray.

    Returns the host that Serve is told to listen on, and what listens until it is closed; None where
    Serve does so itself.
    """
    prepare_environment()
    leave_threads_to_ray()
    # Ray's own default, 15, would give requests what other processes of the machine leave.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # No call may start or join another Ray by itself once ours has ended.
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    if not verbose:
        os.environ.setdefault("RAY_SERVE_LOG_TO_STDERR", "0")
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    if joins_cluster():
        return host, None
    listening = prepare_proxy(folder, addresses_of(host), port, receive_seconds)
    # What Serve listens on behind it is between the proxy and the replicas.
    return host if listening is None else "127.0.0.1", listening


def start_ray(cpus: int, dashboard: bool, verbose: bool) -> bool:
    """Connects to RAY_ADDRESS if it is set (returns False), else starts a private instance (returns True)."""
    options: dict[str, Any] = {
        # On a cluster what the replicas log comes by way of Ray; `show_logs` does without it on one machine.
        "log_to_driver": verbose or joins_cluster(),
        "logging_level": logging.INFO if verbose else logging.ERROR,
        "configure_logging": True,
    }
    if joins_cluster():
        join_cluster(**options)
        return False
    start_own(
        num_cpus=cpus,
        include_dashboard=dashboard,
        dashboard_host="127.0.0.1",
        object_store_memory=OBJECT_STORE_BYTES,
        **options,
    )
    return True


def ray_has_ended() -> bool:
    """Whether a process that the private instance needs has exited; nothing can be served or drained then.

    These are the children of this process; one that exited is seen here without being reaped.
    """
    if not hasattr(os, "waitid"):
        return False
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def refuse_sqlite_on_many_nodes(where: str) -> str | None:
    """The sentence that refuses a store in a file on a cluster of several nodes, None if all is well."""
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]
    if len(nodes) > 1 and not where.startswith("postgresql"):
        return (
            f"{where} is a SQLite store, a file of one machine, and this cluster has {len(nodes)} nodes "
            "whose replicas cannot all open it: use a PostgreSQL store (postgresql+psycopg://USER@HOST/DATABASE)."
        )
    return None
