"""The one interface of all trackers."""

from abc import abstractmethod

from pydantic import Field

from holdfast.base import PartConfig
from holdfast.tracking.events import (
    Begun,
    Ended,
    Event,
    Stepped,
    TaskEnded,
    TrialBegun,
    TrialEnded,
    TrialReported,
    VersionPublished,
)


class Tracker:
    """Follows one run. Each method does nothing unless a tracker has a use for it.

    All are called by one thread, one after the other, beside the run: it neither waits for them nor fails
    with them. Whatever they raise is said once; they are called again for what comes next, `begin` until it
    has not failed. A run that was interrupted begins again, with the same key, and may tell of the same task,
    version or trial once more.
    """

    def begin(self, run: Begun) -> None:
        """Comes first."""

    def step(self, seen: Stepped) -> None:
        """At the pace that the config asks for, and at the end of each task."""

    def task(self, ended: TaskEnded) -> None: ...

    def version(self, published: VersionPublished) -> None: ...

    def trial_begins(self, trial: TrialBegun) -> None: ...

    def trial_reports(self, trial: TrialReported) -> None: ...

    def trial_ends(self, trial: TrialEnded) -> None: ...

    def end(self, ended: Ended) -> None:
        """Comes last; what is still on its way has to leave."""


class TrackerConfig(PartConfig):
    """Base of the configs of all trackers, built in or not. Secrets come from the environment, never from
    here."""

    seconds: float = Field(default=1.0, ge=0)
    """Between two steps whose losses are tracked; 0 for all that the learner looks at, four a second."""

    @abstractmethod
    def open(self) -> Tracker:
        """Raises ConfigError where its library is not installed. Connects to nothing yet."""


def tell(tracker: Tracker, event: Event) -> None:
    """Call the method that the event is for."""
    match event:
        case Begun():
            tracker.begin(event)
        case Stepped():
            tracker.step(event)
        case TaskEnded():
            tracker.task(event)
        case VersionPublished():
            tracker.version(event)
        case TrialBegun():
            tracker.trial_begins(event)
        case TrialReported():
            tracker.trial_reports(event)
        case TrialEnded():
            tracker.trial_ends(event)
        case Ended():
            tracker.end(event)
