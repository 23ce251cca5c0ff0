"""What text may hold, wherever it comes from, and how it is shown in a sentence."""

import reprlib

from holdfast.base.errors import HoldfastError

_SHOWN = 80  # characters of a value in a sentence


class InvalidTextError(HoldfastError):
    """Text that cannot be stored: it holds a NUL character or half of a surrogate pair."""

    code = "invalid_text"


def check_text(
    text: str, what: str, kind: type[HoldfastError] = InvalidTextError, *, of: str | None = None
) -> str:
    """The text, if every database can store it: PostgreSQL takes no NUL, and half a surrogate pair is no
    character and has no UTF-8.

    Args:
        what, of: name the text and whose it is, for the error.
        kind: of the error that is raised.
    """
    if "\0" in text:
        fault = "holds a NUL character, which no text here may"
    elif text.isascii() or _encodes(text):
        return text
    else:
        fault = "is not valid Unicode: it holds half a surrogate pair"
    owner = "" if of is None else f" of {shown(of)}:"
    raise kind(f"{what}{owner} {shown(text)} {fault}.")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlong = 3, 30
        self.maxstring = self.maxother = _SHOWN


def shown(value: object) -> str:
    """A value as Python writes it, on one line and cut short: whoever sent it may have sent megabytes."""
    return _Short().repr(value)


def duration(seconds: float) -> str:
    """A span of time for people, in the largest unit that gives more than one of it."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.65 * size:
            return f"{seconds / size:,.0f} {unit}" if seconds >= 10 * size else f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2g} s"
