"""Ports that a server on this machine may take."""

import errno
import random
import socket

RANGE = range(20_000, 32_768)
"""Below what systems hand out by themselves and above Ray's workers. Ray starts many processes between the
choice of a port and its use, and each of them asks the system for ports: it would hand out ours."""


def free_port(host: str = "127.0.0.1", port: int = 0) -> int:
    """`port` itself if it can be listened on at `host`, or for 0 a free one out of RANGE.

    Raises OSError or OverflowError if the address cannot be listened on.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    candidates = [port] if port else random.SystemRandom().sample(RANGE, len(RANGE))
    for candidate in candidates:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return candidate
    raise OSError(errno.EADDRINUSE, "the address is in use" if port else "no port is free")
