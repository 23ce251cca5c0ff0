"""One server of a machine takes over from another one at the same port, and no request fails.

The sockets that clients connect to are the server's own, and another process may have copies of them. So the
new server starts at a port that nobody knows, and once it would answer it goes on with the sockets of the one
before it, in which connections wait meanwhile. That one answers what it has begun, and ends.
"""

import contextlib
import json
import logging
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from holdfast.base import ConfigError, NotReadyError
from holdfast_serving.launch.listening import Listening
from holdfast_serving.launch.proxy import stop_proxies
from holdfast_serving.launch.whereabouts import Whereabouts
from holdfast_serving.replica import NOTHING_LIVE

logger = logging.getLogger(__name__)

READY_SECONDS = 300.0
"""How long the new server may take until it would answer; the one before it answers meanwhile."""
RELOAD_SECONDS = 60.0


def require_proxy(before: Whereabouts) -> None:
    """Raises ConfigError where the server before has no sockets to hand over."""
    if not before.hands_over:
        raise ConfigError(
            f"The server at port {before.port} ({before.process}) listens without HAProxy, which alone can "
            "hand its port over: stop it, and start this one without --take-over. On Linux ray[serve] brings "
            "HAProxy."
        )


def take_port(
    listening: Listening, before: Whereabouts, hidden: str, has_to_stop: Callable[[float], bool]
) -> bool:
    """Waits until this server would answer, at its hidden address, and then listens in place of `before`,
    which is told so. Returns False where this server has to stop before that.

    Raises NotReadyError, with `before` as it was, where it does not get ready, or cannot have the port. Where
    `before` has died meanwhile, it listens at its address anew.
    """
    deadline = time.monotonic() + READY_SECONDS
    # Whether a version is live is not for the new server to wait for: the one before it has none either.
    while (missing := _missing(hidden)) not in (None, NOTHING_LIVE):
        if has_to_stop(0.2):
            return False
        if time.monotonic() > deadline:
            raise NotReadyError(
                f"The new server was not ready after {READY_SECONDS:.0f} s ({missing}), so {before.process} "
                "goes on."
            )
    try:
        if before.process.is_dead():
            listening.move_to(before.addresses, before.port)
        else:
            listening.take_over_from(before.folder)
        _reload_proxies()
    except Exception as error:
        raise NotReadyError(
            f"The port of {before.process} could not be taken over, so it goes on: {error}. Try again."
        ) from error
    before.succeed()
    return True


def answer_the_last(folder: Path, listening: Listening, seconds: float) -> None:
    """For the server that another one has taken over from: returns when its proxies have ended, or after so
    many seconds, when all that is left are connections that wait for nothing."""
    listening.close()
    stop_proxies(folder, signal.SIGUSR1, seconds)


def _missing(address: str) -> str | None:
    """Why the server is not ready; None when it is."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=10):
            return None
    except urllib.error.HTTPError as error:
        with error, contextlib.suppress(ValueError, TypeError, KeyError):
            return str(json.load(error)["reason"])
    except OSError:
        pass
    return "it does not answer"


def _reload_proxies() -> None:
    """Serve reloads its proxies when its replicas change, and not for us."""
    import ray
    from ray.serve._private.constants import SERVE_NAMESPACE, SERVE_PROXY_NAME

    proxies = [
        ray.get_actor(each["name"], namespace=SERVE_NAMESPACE)
        for each in ray.util.list_named_actors(all_namespaces=True)
        if each["namespace"] == SERVE_NAMESPACE and each["name"].startswith(SERVE_PROXY_NAME)
    ]
    # Another one is Serve's own, to which HAProxy falls back.
    reloads = [proxy._reload_haproxy.remote() for proxy in proxies if hasattr(proxy, "_reload_haproxy")]
    if not reloads:
        raise NotReadyError("this server listens without HAProxy")
    ray.get(reloads, timeout=RELOAD_SECONDS)
