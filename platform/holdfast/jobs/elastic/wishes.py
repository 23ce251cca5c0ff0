"""When the workers of a run are to write a checkpoint before it is due."""

import time

LEAVING = "preempting"
LEAVING_SECONDS = 5.0
"""Between two checkpoints, once a machine has announced its end: there are no more steps to be lost."""


class Wishes:
    """What the run's host knows of it.

    Attributes:
        state: of the controller, see `TellsHost`; empty before its first change.
        count: checkpoints that were written so far.
    """

    def __init__(self) -> None:
        self.state, self.count = "", 0
        self._asked, self._saved_at = False, 0.0

    def ask(self) -> int:
        """Somebody wants one. Returns how many there are so far."""
        self._asked = True
        return self.count

    def enter(self, state: str) -> None:
        """The controller is in this state now."""
        self.state = state
        if state == LEAVING:
            self.ask()

    def saved(self) -> None:
        """One was written."""
        self.count += 1
        self._asked, self._saved_at = False, time.monotonic()

    @property
    def wanted(self) -> bool:
        """Whether one is."""
        leaves = self.state == LEAVING and time.monotonic() - self._saved_at > LEAVING_SECONDS
        return self._asked or leaves
