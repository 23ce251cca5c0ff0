"""How a command fails: in a sentence, whatever happened, and never with a traceback on the terminal."""

import errno
import os
import platform
import shlex
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from holdfast.base import BelowBaselineError, HoldfastError, cache_folder, hide_secrets

MENDABLE = 2
REFUSED = 3
"""All went well, and what came of it is worse than doing nothing."""
UNFORESEEN = 70
"""`EX_SOFTWARE` of sysexits.h: the fault is not the user's."""
INTERRUPTED = 130

_FULL = "no space is left there: free some, and repeat the command"
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: "this user's share of the disk is used up: free some, and repeat the command",
    errno.EFBIG: "the file would be larger than is allowed there",
    errno.EROFS: "the disk is mounted read-only: name another place",
    errno.EACCES: "permission denied: give this user the right to it, or name another place",
    errno.EPERM: "this is not permitted: give this user the right to it, or name another place",
    errno.EMFILE: "too many files are open at once: raise the limit (ulimit -n), and repeat the command",
    errno.ENFILE: "too many files are open on this machine: close some, and repeat the command",
    errno.EISDIR: "it is a folder: name a file",
    errno.ENOTDIR: "a part of that path is no folder: name another place",
    errno.ENAMETOOLONG: "the name is too long: name a shorter one",
    errno.ELOOP: "its links lead in a circle: name another place",
    errno.ENOENT: "there is no such file or folder",
    errno.EIO: "the disk could not read or write it: look at the disk, and repeat the command",
    errno.ESTALE: "its network folder has changed meanwhile: repeat the command",
    errno.ENOMEM: "the system has no memory left for it: close something, and repeat the command",
    errno.EAGAIN: "the system has no process or thread left for it: raise the limit (ulimit -u)",
}
_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "Unable to allocate")
_NAMED = ("holdfast", "ray", "torch", "pyarrow", "sqlalchemy", "pydantic", "fastapi", "faiss-cpu", "pillow")


@dataclass(frozen=True)
class Failure:
    """What a command that failed says.

    Args:
        kind: the error's class, for programs; code: the same in the words of the HTTP interface.
        message: one sentence or more, for people.
        exit_code: `MENDABLE` where the user can mend it, `REFUSED`, else `UNFORESEEN`.
    """

    kind: str
    code: str
    message: str
    exit_code: int

    def as_dict(self) -> dict[str, object]:
        """What `--json` prints."""
        return {"error": {"type": self.kind, "code": self.code, "message": self.message}}


def failure_of(error: BaseException, arguments: Sequence[str] = ()) -> Failure:
    """What to say about an error; of one that nobody foresaw the traceback is kept in a file."""
    kind = type(error).__name__
    if isinstance(error, HoldfastError):
        refused = isinstance(error, BelowBaselineError)
        return Failure(kind, error.code, str(error), REFUSED if refused else MENDABLE)
    for each in _chain(error):
        said = _mendable(each)
        if said is not None:
            return Failure(kind, "system", f"{said[:1].upper()}{said[1:]}.", MENDABLE)
    return Failure(kind, "unforeseen", _unforeseen(error, arguments), UNFORESEEN)


def keep_traceback(error: BaseException, arguments: Sequence[str] = ()) -> Path | None:
    """Write down all that a report of this error needs; returns where, or None if no place can be written."""
    head = [
        f"command: {shlex.join(['holdfast', *arguments])}",
        f"time: {time.strftime('%Y-%m-%d %H:%M:%S %z')}",
        f"machine: Python {platform.python_version()} on {platform.platform()}",
        f"versions: {', '.join(_versions())}",
    ]
    text = hide_secrets("\n".join([*head, "", "".join(traceback.format_exception(error))]))
    name = f"failure-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{threading.get_native_id()}.txt"
    for folder in (cache_folder() / "failures", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / name
            # What a command was given is nobody else's business.
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
                stream.write(text.encode("utf-8", "backslashreplace"))
        except OSError:
            continue
        return file
    return None


def say_when_threads_fail(arguments: Sequence[str] = ()) -> None:
    """From now on a thread that ends with an error is a warning with a file, and no traceback."""

    def say(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
            sys.stderr.write(f"warning: {failure_of(failed.exc_value, arguments).message}\n")

    threading.excepthook = say


def _unforeseen(error: BaseException, arguments: Sequence[str]) -> str:
    said = hide_secrets(" ".join(str(error).split()))
    what = f"{type(error).__name__}: {said[:300]}" if said else type(error).__name__
    file = keep_traceback(error, arguments)
    if file is None:
        where = "Its traceback could be written nowhere: set HOLDFAST_CACHE to a folder that can be written."
    else:
        where = (
            f"To report it, open an issue where Holdfast comes from and attach {file}: it holds the command, "
            "the versions and the whole traceback."
        )
    return f"This is a defect of Holdfast and not your mistake ({what}). {where}"


def _versions() -> Iterator[str]:
    for name in _NAMED:
        with suppress(metadata.PackageNotFoundError):
            yield f"{name} {metadata.version(name)}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__


def _mendable(error: BaseException) -> str | None:
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY):
        return (
            "the memory of this machine, or of its GPU, is not enough: take smaller batches "
            "(learning.batch_size), fewer workers or fewer images at once, or free some"
        )
    if isinstance(error, OSError) and error.errno in _ADVICE:
        named = [os.fsdecode(name) for name in (error.filename, error.filename2) if _is_name(name)]
        if named or error.errno != errno.ENOENT:
            return f"{named[0]}: {_ADVICE[error.errno]}" if named else _ADVICE[error.errno]
    if "No space left on device" in text:
        return f"a disk is full ({hide_secrets(text[:200])}): {_FULL}"
    if "database is locked" in text:
        return "the database is busy, as another process writes to it: repeat the command"
    return None


def _is_name(name: object) -> bool:
    return isinstance(name, str | bytes) and bool(name)
