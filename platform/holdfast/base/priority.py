"""Work that others go before."""

import contextlib
import os
import threading

NICE = 10  # as little of the machine as the system gives to it beside what people wait for


def behind_others() -> None:
    """Lower the priority of this thread, and of those that it starts, where the system can: on Linux."""
    with contextlib.suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
