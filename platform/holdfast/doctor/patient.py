"""What is examined."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.base import cache_folder
from holdfast.store import pin_down, sqlite_file


@dataclass(frozen=True)
class Patient:
    """A machine, with the store and the server that somebody means.

    Attributes:
        where: the store, as `open_store` takes it.
        artifacts: where its files are, if somebody said so.
        server: the address of the server.
        environment: the variables that count.
    """

    where: str
    artifacts: str | None = None
    server: str = "http://127.0.0.1:8000"
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def file(self) -> Path | None:
        """The database's, None for a database server."""
        return sqlite_file(pin_down(self.where))

    @property
    def folders(self) -> list[Path]:
        """Those of this machine that are written to, or the nearest ones above them that are there."""
        named = [cache_folder(), *([self.file.parent] if self.file is not None else [])]
        return list(
            dict.fromkeys(next(each for each in (path, *path.parents) if each.is_dir()) for path in named)
        )
