"""The files below a local folder: links followed, loops left alone, and what cannot be used counted."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.base import DataError
from holdfast.data.sources.passed_over import PassedOver


@dataclass(frozen=True)
class FoundFile:
    """A regular file.

    Attributes:
        name: its path below the folder, with forward slashes, as text that JSON and databases can hold: bytes
            that are not UTF-8 are written as `\\xNN`.
        path: what the system opens.
    """

    name: str
    path: str
    size: int
    mtime_ns: int

    @property
    def parts(self) -> list[str]:
        return self.name.split("/")


def walk(
    root: str, passed_over: PassedOver, is_hidden: Callable[[str], bool], deepest: int, where: str
) -> tuple[list[FoundFile], list[str]]:
    """All files below `root`, sorted by their paths, and all folders.

    Args:
        passed_over: gets what is hidden, links that lead nowhere or back into their own folder, what is
            neither a file nor a folder, and folders that lie too deep.
        is_hidden: whether a name is passed over, with all that is in it.
        deepest: how many folders there may be above a file.
        where: how a message names the source.

    Raises:
        DataError: a folder, or what a link leads to, may not be read.
    """
    files: list[tuple[str, FoundFile]] = []
    folders: list[str] = []

    def visit(folder: str, above: str, chain: frozenset[tuple[int, int]], depth: int) -> None:
        try:
            entries = sorted(os.listdir(folder))
        except OSError as error:
            raise _unreadable(above or folder, error, where) from error
        for entry in entries:
            raw = f"{above}/{entry}" if above else entry
            name, path = as_text(raw), os.path.join(folder, entry)
            if is_hidden(entry):
                passed_over.add("hidden", name)
                continue
            try:
                status = os.stat(path)
            except PermissionError as error:
                raise _unreadable(name, error, where) from error
            except OSError:
                passed_over.add("dead links", name)
                continue
            place = (status.st_dev, status.st_ino)
            if stat.S_ISREG(status.st_mode):
                files.append((raw, FoundFile(name, path, status.st_size, status.st_mtime_ns)))
            elif not stat.S_ISDIR(status.st_mode):
                passed_over.add("neither files nor folders", name)
            elif place in chain:
                passed_over.add("links back into their own folder", name)
            elif depth == deepest:
                passed_over.add("folders too deep", name)
            else:
                folders.append(name)
                visit(path, raw, chain | {place}, depth + 1)

    try:
        top = os.stat(root)
    except OSError as error:
        raise _unreadable(root, error, where) from error
    visit(root, "", frozenset({(top.st_dev, top.st_ino)}), 0)
    # By the names as the system has them: that is the order of images, and so of everything that is learned.
    return [file for _, file in sorted(files, key=lambda item: item[0])], folders


def as_text(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8 become `\\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def starts_with_dot(name: str) -> bool:
    return name.startswith(".")


def _unreadable(name: str, error: OSError, where: str) -> DataError:
    return DataError(
        f"{where} cannot be read: {as_text(name)}: {error.strerror or error}. Allow it, or move it away."
    )
