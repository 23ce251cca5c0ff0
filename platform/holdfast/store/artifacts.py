"""Files beside the database: in a local folder, or in any file system that pyarrow knows.

A file appears whole or not at all, and is on the disk when `put` returns.
"""

import copy
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from holdfast.base import DataError, NotFoundError, StoreError, cache_folder, hide_in_url, sync, whole_file


class Artifacts:
    """Named blobs under one root. A name is a relative path with `/`.

    Args:
        uri: a folder, `file:///FOLDER`, or a pyarrow file system URI such as `s3://bucket/prefix`.
    """

    def __init__(self, uri: str | Path) -> None:
        self.uri = str(uri)
        """As another process may open it: a folder of this machine by its whole path."""
        self.root: Path | None = None
        self._remote: Any = None
        self._prefix = ""
        scheme = urlparse(self.uri).scheme
        if scheme == "file":
            self.root = Path(unquote(urlparse(self.uri).path))
            self.uri = str(self.root)
        elif "://" not in self.uri:
            self.root = Path(uri).absolute()
            self.uri = str(self.root)
        else:
            from pyarrow.fs import FileSystem

            try:
                self._remote, self._prefix = FileSystem.from_uri(self.uri)
            except (OSError, ValueError) as error:
                raise StoreError(f"The artifacts {self.where!r} cannot be reached: {error}.") from error

    @property
    def where(self) -> str:
        """The root for a message or a record: without a password."""
        return without_secret(self.uri)

    def below(self, folder: str) -> "Artifacts":
        """The blobs under a folder, as a root of their own."""
        inner = copy.copy(self)
        if self.root is not None:
            inner.root = self.root / folder
            inner.uri = str(inner.root)
        else:
            inner._prefix = self._path(folder)
            path, question, query = self.uri.partition("?")
            inner.uri = f"{path.rstrip('/')}/{folder}{question}{query}"
        return inner

    def place(self, name: str) -> str:
        """Where a file is, for people: its path, or its URI."""
        return str(self.root / name) if self.root is not None else hide_in_url(self.below(name).where)

    def file_system(self) -> tuple[Any, str]:
        """For libraries that write by themselves: a pyarrow file system, None for this machine's, and the
        root in it."""
        return self._remote, self._prefix if self.root is None else str(self.root)

    def put(self, name: str, data: bytes) -> None:
        """Write a file that never changes again: if it is there with the same bytes, nothing happens.

        Other bytes under the name can only be damage (names hold a hash of the bytes), and are replaced.
        """
        if not self.exists(name) or self.read(name) != data:
            self.replace(name, data)

    def replace(self, name: str, data: bytes) -> None:
        """Write or replace a file; a reader sees the old one or the new one, never a part."""
        if self.root is None:
            self._replace_remote(name, data)
        else:
            _replace_local(self.root / name, data)

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises NotFoundError."""
        try:
            if self.root is not None:
                return (self.root / name).read_bytes()
            with self._remote.open_input_stream(self._path(name)) as stream:
                return bytes(stream.read())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(f"{self.where} holds no {name}.") from error
        except OSError as error:
            raise self._unreadable(name, error) from error

    def exists(self, name: str) -> bool:
        if self.root is not None:
            return (self.root / name).is_file()
        from pyarrow.fs import FileType

        try:
            return bool(self._remote.get_file_info(self._path(name)).type == FileType.File)
        except OSError as error:
            raise self._unreadable(name, error) from error

    def sizes(self, folder: str) -> dict[str, int]:
        """The files right in a folder, with their sizes in bytes; empty where there is no such folder."""
        if self.root is not None:
            here = self.root / folder
            found = here.iterdir() if here.is_dir() else iter(())
            return {path.name: path.stat().st_size for path in found if path.is_file()}
        from pyarrow.fs import FileSelector, FileType

        try:
            rows = self._remote.get_file_info(FileSelector(self._path(folder), allow_not_found=True))
        except OSError as error:
            raise self._unreadable(folder, error) from error
        return {row.base_name: row.size for row in rows if row.type == FileType.File}

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        try:
            if self.root is not None:
                (self.root / name).unlink(missing_ok=True)
            elif self.exists(name):
                self._remote.delete_file(self._path(name))
        except OSError as error:
            raise StoreError(f"{self.place(name)} cannot be removed: {error.strerror or error}.") from error

    def folder(self, name: str, files: Mapping[str, str]) -> Path:
        """A local folder with these files (name -> SHA-256); of a remote store, a cached copy of it.

        Raises StoreError when a file is missing. The hashes of a local folder are the reader's to check.
        """
        if self.root is not None:
            folder = self.root / name
            for file in files:
                if not (folder / file).is_file():
                    raise StoreError(f"{folder / file} is missing: restore the artifacts from a backup.")
            return folder
        folder = cache_folder() / "artifacts" / name
        for file, digest in files.items():
            local = folder / file
            if local.is_file() and sha256(local.read_bytes()) == digest:
                continue
            data = self.read(f"{name}/{file}")
            if sha256(data) != digest:
                raise StoreError(
                    f"{self.place(f'{name}/{file}')} is damaged: restore the artifacts from a backup."
                )
            _replace_local(local, data)
        return folder

    def _path(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    def _replace_remote(self, name: str, data: bytes) -> None:
        path = self._path(name)
        try:
            self._remote.create_dir(path.rpartition("/")[0], recursive=True)
            with self._remote.open_output_stream(path) as stream:
                stream.write(data)
        except OSError as error:
            raise StoreError(f"{self.place(name)} cannot be written: {error}.") from error

    def _unreadable(self, name: str, error: OSError) -> StoreError:
        return StoreError(f"{self.place(name)} cannot be read: {error.strerror or error}.")


def without_secret(uri: str) -> str:
    """A URI as it may be shown and kept: without the password in it, and whose it is."""
    scheme, separator, rest = uri.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    # A user alone is no secret: Azure has its container there.
    return f"{scheme}{separator}{host}{slash}{path}" if at and ":" in user else uri


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _replace_local(path: Path, data: bytes) -> None:
    try:
        _make_folder(path.parent)
        with whole_file(path) as draft:
            draft.write_bytes(data)
    except DataError as error:
        raise StoreError(str(error)) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from error


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)
