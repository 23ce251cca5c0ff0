"""Ports that a server on this machine may take."""

import errno
import random
import socket

from holdfast.base import ConfigError

RANGE = range(20_000, 32_768)
"""Below what systems hand out by themselves and above Ray's workers. Ray starts many processes between the
choice of a port and its use, and each of them asks the system for ports: it would hand out ours."""


def addresses_of(host: str) -> tuple[str, ...]:
    """The IPv4 and IPv6 addresses of a host that can be listened on here. Raises OSError if there is none."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    refused: OSError | None = None
    addresses: dict[str, None] = {}
    for family, _, _, _, (address, *_) in found:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((address, 0))
        except OSError as error:
            # Many machines have a name for ::1 and no IPv6.
            refused = error
        else:
            addresses[str(address)] = None
    if not addresses:
        raise refused or OSError(errno.EADDRNOTAVAIL, "the host has no address")
    return tuple(addresses)


def free_port(host: str = "127.0.0.1", port: int = 0) -> int:
    """`port` itself if it can be listened on at `host`, or for 0 a free one out of RANGE.

    Raises OSError or OverflowError if the address cannot be listened on.
    """
    addresses = addresses_of(host)
    candidates = [port] if port else random.SystemRandom().sample(RANGE, len(RANGE))
    for candidate in candidates:
        if all(_is_free(address, candidate) for address in addresses):
            return candidate
    raise OSError(errno.EADDRINUSE, "the address is in use" if port else "no port is free")


def require_port(host: str, port: int) -> int:
    """As `free_port`. Raises ConfigError, in plain words, if the address cannot be listened on."""
    try:
        return free_port(host, port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"Cannot listen on {host} port {port}: {reason}. Choose another --host or --port."
        ) from None


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True
