"""The stages of a request, and how long each of them took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple

STAGES = ("decode", "queue", "embed", "recall", "cascade", "rank", "commit")
"""`decode`: images become arrays. `queue`: they wait for a pass of the model; `embed`: the pass. `recall`:
the search of the index. `cascade`: the images of candidates, whose queue and embed are counted there as well.
`rank`: the order of the answer. `commit`: the writer. Each with the wait for a thread."""


class Span(NamedTuple):
    """One stage, from and until when, in nanoseconds since 1970."""

    name: str
    begun: int
    ended: int


@dataclass
class Stages:
    """What one request went through."""

    spans: list[Span] = field(default_factory=list)

    def add(self, name: str, seconds: float, ago: float = 0.0) -> None:
        """A stage that took so many seconds, and ended so many seconds ago."""
        ended = time.time_ns() - round(1e9 * ago)
        self.spans.append(Span(name, ended - round(1e9 * max(0.0, seconds)), ended))

    def seconds(self) -> dict[str, float]:
        """How long each stage took, all of its spans together."""
        found: dict[str, float] = {}
        for span in self.spans:
            found[span.name] = found.get(span.name, 0.0) + (span.ended - span.begun) / 1e9
        return found

    def server_timing(self) -> str:
        """As the header `Server-Timing` has it, in milliseconds."""
        return ", ".join(f"{name};dur={1000 * taken:.2f}" for name, taken in self.seconds().items())


current: ContextVar[Stages | None] = ContextVar("stages", default=None)
"""Those of the request that is answered here; None beside requests."""


@contextmanager
def stage(name: str) -> Iterator[None]:
    """What happens within is this stage of the request, if it is one."""
    stages = current.get()
    begun = time.perf_counter()
    try:
        yield
    finally:
        if stages is not None:
            stages.add(name, time.perf_counter() - begun)
