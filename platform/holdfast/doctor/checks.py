"""What one check is: a function that looks at one thing, and says in a sentence how it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

Verdict = Literal["ok", "warn", "fail"]
Seen = TypeVar("Seen")


class Said(NamedTuple):
    """A verdict, and the sentence that says what was found, and what to do unless it is `ok`."""

    verdict: Verdict
    sentence: str


@dataclass(frozen=True)
class Check(Generic[Seen]):
    """A check by its name; `look` gets what it looks at, and may raise a HoldfastError, which is a `fail`."""

    name: str
    look: Callable[[Seen], Said]


def ok(sentence: str) -> Said:
    """All is well."""
    return Said("ok", sentence)


def warn(sentence: str) -> Said:
    """Something works that will not, or not as well as it could."""
    return Said("warn", sentence)


def fail(sentence: str) -> Said:
    """Something does not work."""
    return Said("fail", sentence)
