"""All machines that do one piece of work have one release of Holdfast."""

import socket
from importlib.metadata import version

from holdfast.base import ConfigError


def this_release() -> str:
    return version("holdfast")


def require_release(drivers: str) -> None:
    """For a process of a cluster: raises ConfigError where its machine has another release than the driver's.

    What one of them hands to the other may mean something else there.
    """
    here = this_release()
    if here != drivers:
        raise ConfigError(
            f"The machine {socket.gethostname()} has Holdfast {here}, and the driver of this work "
            f"{drivers}: install the same on all machines of the cluster."
        )
