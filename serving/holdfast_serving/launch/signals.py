"""Signals that are heard while Ray works: work goes to a thread, and the main one waits for both."""

import signal
import threading
from collections.abc import Callable
from types import FrameType


class Signals:
    """What SIGTERM and SIGINT ask for: the first one to stop, at once while the server starts and after a
    drain else; a second one not to wait for the drain."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.hurry = threading.Event()
        self._before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        self.take()

    def take(self) -> None:
        """Ray takes them away when it starts."""
        for number in self._before:
            signal.signal(number, self._receive)

    def restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.stop.is_set():
            self.hurry.set()
        self.stop.set()


class Task:
    """Work in a thread, so that signals are heard meanwhile: Ray bears no exception in its own code."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, stop: threading.Event) -> None:
        """Returns when it has ended, or `stop` is set. Raises what the work raises."""
        while not self.ended and not stop.is_set():
            self._thread.join(0.1)
        if self.ended and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self._error = error
