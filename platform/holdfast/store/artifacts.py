"""Files beside the database: in a local folder, or in any file system that pyarrow knows.

A file appears whole or not at all, and is on the disk when `put` returns.
"""

import hashlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from platformdirs import user_cache_dir

from holdfast.errors import NotFoundError, StoreError


class Artifacts:
    """Named blobs under one root. A name is a relative path with `/`.

    Args:
        uri: a folder, `file:///FOLDER`, or a pyarrow file system URI such as `s3://bucket/prefix`.
    """

    def __init__(self, uri: str | Path) -> None:
        self.uri = str(uri)
        self.root: Path | None = None
        self._remote: Any = None
        self._prefix = ""
        scheme = urlparse(self.uri).scheme
        if scheme == "file":
            self.root = Path(unquote(urlparse(self.uri).path))
        elif "://" not in self.uri:
            self.root = Path(uri).absolute()
        else:
            from pyarrow.fs import FileSystem

            try:
                self._remote, self._prefix = FileSystem.from_uri(self.uri)
            except (OSError, ValueError) as error:
                raise StoreError(f"The artifacts {self.uri!r} cannot be reached: {error}.") from error

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
        except FileNotFoundError as error:
            raise NotFoundError(f"{self.uri} holds no {name}.") from error

    def exists(self, name: str) -> bool:
        if self.root is not None:
            return (self.root / name).is_file()
        from pyarrow.fs import FileType

        return bool(self._remote.get_file_info(self._path(name)).type == FileType.File)

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
        cache = Path(os.environ.get("HOLDFAST_CACHE") or user_cache_dir("holdfast"))
        folder = cache / "artifacts" / name
        for file, digest in files.items():
            local = folder / file
            if local.is_file() and sha256(local.read_bytes()) == digest:
                continue
            data = self.read(f"{name}/{file}")
            if sha256(data) != digest:
                raise StoreError(f"{self.uri}/{name}/{file} is damaged: restore the artifacts from a backup.")
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
            raise StoreError(f"{self.uri}/{name} cannot be written: {error}.") from error


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _replace_local(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        _make_folder(path.parent)
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from error


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk: a power cut may bring them back otherwise."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
