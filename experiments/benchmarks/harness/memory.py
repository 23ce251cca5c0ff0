"""How much memory this process has resident. Linux only (/proc)."""

import contextlib
import ctypes
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

STATUS = Path("/proc/self/status")


def resident_mib(field: str) -> float:
    """`VmRSS` (now), `VmHWM` (the highest since the last reset) or `RssAnon` (now, without mapped files)."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"{STATUS} has no {field}")


def reset_peak() -> None:
    """From now on VmHWM counts anew."""
    Path("/proc/self/clear_refs").write_text("5")


def release_freed() -> None:
    """Give freed memory back to the system, where the C library can: what remains is in use."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


class PeakAnonymous:
    """The greatest resident memory without mapped files within the block, looked at every few milliseconds.

    Mapped files (the decoded images) are left out: the system takes their pages back when it needs them.
    """

    def __init__(self, every: float = 0.005) -> None:
        self.mib = resident_mib("RssAnon")
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._stop.wait(self._every):
            self.mib = max(self.mib, resident_mib("RssAnon"))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.mib = max(self.mib, resident_mib("RssAnon"))
