"""From where the images of entries may be read: only from below what the operator has named."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from pyarrow import fs

from holdfast.base import ConfigError, DataError
from holdfast.data import expand, locate

OUTSIDE = "outside the allowed sources"


class UnreadableError(Exception):
    """An entry's image is out of reach; the message is one of few reasons."""


@dataclass(frozen=True)
class Sources:
    """Folders and URL prefixes. What an entry's source names is read if it lies below one of them.

    Who may write an entry may name anything as its source, and it is read with the rights of whoever
    backfills: so nothing is readable until the operator has said what is.

    Args:
        folders: absolute, without links.
        prefixes: without a slash at the end, `s3://bucket/photos`; options behind a `?` are part of it.
    """

    folders: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    @classmethod
    def of(cls, roots: Sequence[str]) -> "Sources":
        """From what an operator names: folders, relative ones as well, `file://` and other URLs.

        Raises ConfigError for a folder that does not exist, or a URL that can be no prefix, and DataError for
        a `file://` URL that is none.
        """
        folders, prefixes = [], []
        for root in map(expand, roots):
            if not root.strip():
                raise ConfigError(
                    "A source is empty: name a folder, or a URL prefix such as s3://bucket/photos."
                )
            if _is_remote(root):
                if _split(root) is None:
                    raise ConfigError(f"The source {root!r} is no URL prefix such as s3://bucket/photos.")
                prefixes.append(root.rstrip("/"))
                continue
            folder = os.path.realpath(locate(root)[1])
            if not os.path.isdir(folder):
                raise ConfigError(
                    f"The source {root!r} is no folder here: name one, or a URL prefix such as "
                    "s3://bucket/photos."
                )
            folders.append(folder)
        return cls(tuple(dict.fromkeys(folders)), tuple(dict.fromkeys(prefixes)))

    @property
    def roots(self) -> tuple[str, ...]:
        """What `of` makes the same again from, in any folder."""
        return self.folders + self.prefixes

    def find(self, source: str) -> tuple[fs.FileSystem, str]:
        """The file system that a source is on, and its path there.

        `..` and links are followed first; what is returned has none. Raises UnreadableError: "outside the
        allowed sources", "unreadable".
        """
        try:
            source = expand(source) if "://" not in source else source
            if not _is_remote(source):
                path = os.path.realpath(locate(source)[1])
                if any(_is_below(path, folder) for folder in self.folders):
                    return fs.LocalFileSystem(), path
            elif self._allows(source):
                return _find_remote(source)
        except (OSError, ValueError, DataError) as error:
            raise UnreadableError("unreadable") from error
        raise UnreadableError(OUTSIDE)

    def _allows(self, source: str) -> bool:
        parts = _split(source)
        if parts is None:
            return False
        where, path, options = parts
        for prefix in self.prefixes:
            allowed = _split(prefix)
            # Options may send the request, and the credentials with it, to another server.
            if allowed is not None and (allowed[0], allowed[2]) == (where, options):
                root = allowed[1].rstrip("/")
                if path == root or path.startswith(f"{root}/"):
                    return True
        return False


def require_sources(kind: str, sources: Sequence[str]) -> None:
    """Raises ConfigError for a backfill that reads images where nothing may be read."""
    if kind == "re-embed" and not sources:
        raise ConfigError(
            "Embedding images anew reads the files that entries name, and none may be read here: say which "
            "folders or URL prefixes may, with --sources (of holdfast serve where a server does the work)."
        )


def _is_remote(source: str) -> bool:
    return "://" in source and not source.startswith("file://")


def _is_below(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder


def _split(url: str) -> tuple[str, str, str] | None:
    """`scheme://place`, `/path`, `?options`; None where the path has steps that a server may resolve."""
    scheme, _, rest = url.partition("://")
    rest, mark, options = rest.partition("?")
    place, slash, path = rest.partition("/")
    if not scheme or not place or {".", ".."} & set(unquote(path).split("/")):
        return None
    return f"{scheme}://{place}", slash + path, mark + options


def _find_remote(source: str) -> tuple[fs.FileSystem, str]:
    scheme, _, rest = source.partition("://")
    if "?" in rest:
        return locate(source)
    # A client of an object store is dear to make, and the same for all objects of a bucket.
    bucket, _, key = rest.partition("/")
    filesystem = _bucket(f"{scheme}://{bucket}")
    return filesystem, f"{bucket}/{key}" if scheme in ("s3", "gs") else locate(source)[1]


@lru_cache(maxsize=16)
def _bucket(uri: str) -> fs.FileSystem:
    return locate(uri)[0]
