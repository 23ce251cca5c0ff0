"""Ray Serve on a cluster outlives the server that started it, with the HTTP options of whoever came first."""

import contextlib
import time
import warnings

import ray
from ray import serve
from ray.serve.context import _get_global_client

from holdfast.base import ConfigError
from holdfast_serving.launch.ports import require_port

FREE_SECONDS = 20.0
"""How long Serve's proxies may take to let go of their port."""


def settle_serve(host: str, port: int, application: str, route_prefix: str) -> None:
    """Make sure that what Serve will listen on is what was asked for.

    A Serve that nobody uses is ended, and starts anew. Raises ConfigError where other applications keep it
    listening elsewhere or have the prefix, or where somebody else has the port.
    """
    running = _get_global_client(raise_if_no_controller_running=False)
    if running is not None:
        options = running.http_config
        others = ", ".join(sorted(serve.status().applications))
        if not others:
            serve.shutdown()
        elif (options.host, options.port) != (host, port):
            raise ConfigError(
                f"Serve on this cluster listens on {options.host} port {options.port} already, for {others}, "
                f"and cannot listen on {host} port {port} as well: take that --host and --port, or end it "
                "with 'serve shutdown'."
            )
        else:
            # Of others, or of an earlier server of ours, whose place this one takes.
            _refuse_taken_prefix(application, route_prefix)
            return
    if not _is_on_head():
        warnings.warn(
            f"It listens on {host} port {port} of the cluster's head, which is another machine.", stacklevel=2
        )
        return
    _wait_for(host, port) if running is not None else require_port(host, port)


def leave_serve(host: str, port: int, application: str) -> None:
    """Take the application away, and Serve with its port if it has no other."""
    if _get_global_client(raise_if_no_controller_running=False) is None:
        return
    serve.delete(application)
    if not serve.status().applications:
        serve.shutdown()
        if _is_on_head():
            with contextlib.suppress(ConfigError):
                _wait_for(host, port)


def _refuse_taken_prefix(application: str, route_prefix: str) -> None:
    for name, other in _get_global_client().get_serve_details()["applications"].items():
        if name != application and other["route_prefix"] == route_prefix:
            raise ConfigError(
                f"Serve on this cluster leads {route_prefix} to the application {name!r} already: choose "
                "another --route-prefix, such as /embeddings, or take its place by --name."
            )


def _wait_for(host: str, port: int) -> None:
    deadline = time.monotonic() + FREE_SECONDS
    while True:
        try:
            require_port(host, port)
        except ConfigError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _is_on_head() -> bool:
    here = ray.get_runtime_context().get_node_id()
    heads = [node["NodeID"] for node in ray.nodes() if "node:__internal_head__" in node["Resources"]]
    return not heads or here in heads
