"""Files that travel with a job: what its command and its experiment name by a relative path."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.filesize import decimal

from holdfast.base import ConfigError

LIMIT = 100_000_000
"""Bytes that travel with a job at most."""
_FILES = "files"
_SOURCES = ("parquet:", "folder:", "webdataset:", "list:", "vectors:")
_SCHEMES = (*_SOURCES, "onnx:", "torch:", "transformers:", "timm:")
_DATABASES = ("lancedb", "qdrant", "milvus")
_PATHS = frozenset({"manifest", "weights"})  # keys of an experiment whose text is a path
_KINDS = frozenset({"kind", "trunk"})  # whose text may be package.module:Class


class Luggage:
    """What is packed into a folder, which becomes the job's own.

    What is named by a relative path travels. Absolute paths, `~`, `$VARIABLES` and URLs mean what they mean
    on the cluster.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._packed: dict[Path, str] = {}
        self._bytes = 0

    def path(self, given: Path | str) -> str:
        """A path of a command, as the job is to name it; what it names travels if it is relative.

        Raises ConfigError if it is not there, or too large.
        """
        text = str(given)
        if _is_the_clusters(text):
            return text
        here = Path(text)
        if not here.exists():
            raise ConfigError(
                f"{text} is not here, so it cannot travel with the job. Name what is on the cluster by an "
                "absolute path or a URL."
            )
        return self._pack(here)

    def require_the_clusters(self, folder: str, what: str) -> None:
        """Raises ConfigError for a folder of images that is named by a relative path: entries name their
        images where the cluster finds them, so such a folder would hold none of them."""
        if not _is_the_clusters(folder):
            raise ConfigError(
                f"{what} {folder} does not travel with a job: give the folder's absolute path on the cluster."
            )

    def source(self, given: str) -> str:
        """The same for a text such as `parquet:PATH` and `onnx:FILE`; others are left as they are."""
        scheme = next((each for each in _SCHEMES if given.startswith(each)), None)
        if scheme is None:
            return given
        path, mark, rest = given.removeprefix(scheme).partition("?")
        # An id of a hub looks like a relative path.
        if not path or (scheme in ("transformers:", "timm:") and not Path(path).exists()):
            return given
        return f"{scheme}{self.path(path)}{mark}{rest}"

    def gallery(self, given: str) -> str:
        """The same for what `holdfast gallery import` takes: files travel, databases in folders do not."""
        scheme, mark, rest = given.partition(":")
        if not mark:
            return self.path(given)
        if scheme in _DATABASES:
            self.require_the_clusters(rest, f"{scheme}:")
        return f"faiss:{self.path(rest)}" if scheme == "faiss" else given

    def experiment(self, values: dict[str, Any]) -> dict[str, Any]:
        """What an experiment says, with its files packed and named as the job finds them.

        Raises ConfigError, with the key, for a file that is not here.
        """
        packed: dict[str, Any] = self._values(values, "")
        return packed

    def _values(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: self._values(each, f"{key}.{name}".lstrip(".")) for name, each in value.items()}
        if isinstance(value, list):
            return [self._values(each, key) for each in value]
        if not isinstance(value, str):
            return value
        name = key.rpartition(".")[2]
        try:
            if name in _PATHS:
                return self.path(value)
            if name == "sources":
                self.require_the_clusters(value, "the folder")
            if name in _KINDS:
                self._module(value)
            return self.source(value)
        except ConfigError as error:
            raise ConfigError(f"{key}: {error}") from error

    def _module(self, place: str) -> None:
        """The package of a `package.module:Class` of the folder that this is called from."""
        module, mark, _ = place.partition(":")
        root = module.partition(".")[0]
        if not mark or not root.isidentifier() or f"{root}:" in _SCHEMES:
            return
        found = find_spec(root)
        if found is None:
            return
        for each in found.submodule_search_locations or filter(None, [found.origin]):
            here = Path(each)
            if here.exists() and _is_the_users(here):
                self._copy(here, here.name)

    def _pack(self, here: Path) -> str:
        whole = here.resolve()
        if whole not in self._packed:
            name = f"{_FILES}/{here.name}"
            if name in self._packed.values():
                name = f"{_FILES}/{len(self._packed)}/{here.name}"
            self._copy(here, name)
            self._packed[whole] = name
        return self._packed[whole]

    def _copy(self, here: Path, name: str) -> None:
        self._bytes += sum(each.stat().st_size for each in _files_of(here))
        if self._bytes > LIMIT:
            raise ConfigError(
                f"{here} is too large to travel with a job, which takes {decimal(LIMIT)} in all. Put it "
                "where the cluster reads it, and name it by an absolute path or a URL."
            )
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if here.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".git")
            shutil.copytree(here, target, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(here, target)


def _is_the_clusters(path: str) -> bool:
    return path.startswith(("/", "~", "$")) or "://" in path


def _is_the_users(here: Path) -> bool:
    """Whether a package is none that is installed."""
    return not {"site-packages", "dist-packages"} & set(here.parts) and Path.cwd() in here.resolve().parents


def _files_of(here: Path) -> Iterator[Path]:
    if here.is_file():
        yield here
        return
    for each in here.rglob("*"):
        if each.is_file() and not {"__pycache__", ".git"} & set(each.parts):
            yield each
