"""A benchmark as a command that may be stopped at any moment and goes on from there."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from holdfast.base import HoldfastError


def run_command(main: Callable[[], int]) -> NoReturn:
    """Exit with what `main` returns, with the message of its error, or with 130 if it was interrupted."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: Ray stops
    try:
        with contextlib.suppress(KeyboardInterrupt):
            sys.exit(main())
    except HoldfastError as mistake:
        sys.exit(f"Error: {mistake}")
    print("Interrupted; the same command goes on from here.", file=sys.stderr)
    sys.exit(130)
