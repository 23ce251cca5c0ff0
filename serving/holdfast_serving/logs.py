"""What a server says while it runs: warnings and above of our own loggers, and an access log on request.

All of it appears on the standard error of `holdfast serve`, whichever of its processes it comes from: on one
machine over a socket in the server's private folder, from the nodes of a cluster by way of Ray. Each line has
the id of the request that it is about, and no secret.
"""

import hashlib
import json
import logging
import os
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from holdfast.base import hide_secrets

SOCKET = "HOLDFAST_LOG_SOCKET"
"""The variable that tells the processes of a server where its lines go."""
ACCESS = "holdfast_serving.access"
LogForm = Literal["text", "json"]
OURS = ("holdfast", "holdfast_serving")
MOST_BYTES = 1024 * 1024
"""What a process keeps while nobody takes its lines; what comes then is counted, and left out."""

logger = logging.getLogger(__name__)
request_id: ContextVar[str] = ContextVar("request_id", default="")


class Lines(logging.Formatter):
    """`TIME LEVEL LOGGER request=ID: MESSAGE`, with a traceback below it. The access log is JSON already."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name == ACCESS:
            return record.getMessage()
        about = request_id.get()
        where = f"{record.name} request={about}" if about else record.name
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        text = f"{moment} {record.levelname} {where}: {record.getMessage()}"
        if record.exc_info:
            # Not `formatException`: that prints, and Ray has a `print` of its own.
            text = f"{text}\n{''.join(traceback.format_exception(*record.exc_info)).rstrip()}"
        return hide_secrets(text)


class JsonLines(Lines):
    """The same as a line of JSON, the traceback in it."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name == ACCESS:
            return record.getMessage()
        content = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": hide_secrets(record.getMessage()),
            "request_id": request_id.get() or None,
            "process": record.process,
        }
        if record.exc_info:
            content["traceback"] = hide_secrets(
                "".join(traceback.format_exception(*record.exc_info)).rstrip()
            )
        return json.dumps(content)


class ToServer(logging.Handler):
    """Writes to the server's socket, and never waits: a server whose lines nobody reads goes on."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._socket: socket.socket | None = None
        self._unsent = bytearray()
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
        except Exception:
            self.handleError(record)
            return
        if len(self._unsent) + len(line) > MOST_BYTES:
            self._left_out += 1
        else:
            if self._left_out:
                note = f"({self._left_out:,} lines of the log were left out: nobody read them)\n"
                self._unsent += note.encode()
                self._left_out = 0
            self._unsent += line
        try:
            self._send()
        except BlockingIOError:
            pass
        except OSError:
            self._socket = None

    def _send(self) -> None:
        if self._socket is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.connect(self._path)
            connection.setblocking(False)
            self._socket = connection
        while self._unsent:
            del self._unsent[: self._socket.send(self._unsent)]


def write_logs(*, access: bool, form: LogForm = "text") -> None:
    """For a process of the server: from now on its loggers write to the server."""
    path = os.environ.get(SOCKET)
    handler = ToServer(path) if path else logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else Lines())
    for name in OURS:
        ours = logging.getLogger(name)
        ours.handlers = [handler]
        ours.propagate = False
        ours.setLevel(logging.WARNING)
    logging.getLogger(ACCESS).setLevel(logging.INFO if access else logging.CRITICAL)
    threading.excepthook = _say_that_it_ended


def show_logs(folder: Path, form: LogForm = "text") -> None:
    """For the serving process: shows its own lines, and those of the processes that it starts from now on."""
    path = folder / "log"
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
    except OSError as error:
        # The path of a socket has at most some hundred characters.
        os.environ.pop(SOCKET, None)
        write_logs(access=False, form=form)
        logger.warning("the log of the replicas is in Ray's files only: %s", error)
        return
    listening.listen()
    os.environ.pop(SOCKET, None)
    write_logs(access=False, form=form)
    os.environ[SOCKET] = str(path)
    threading.Thread(target=_accept, args=(listening,), name="log", daemon=True).start()


def access_line(
    method: str,
    path: str,
    status: int,
    seconds: float,
    version: str,
    secret: str,
    stages: Mapping[str, float] = MappingProxyType({}),
) -> str:
    """One request as JSON. A key is shown by the beginning of its hash; a query may hold more of them.

    `stages`: seconds in each.
    """
    return json.dumps(
        {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": method,
            "path": path,
            "status": status,
            "ms": round(1000 * seconds, 1),
            "stages": {name: round(1000 * taken, 2) for name, taken in stages.items()},
            "version": version or None,
            "request_id": request_id.get(),
            "key": hashlib.sha256(secret.encode()).hexdigest()[:8] if secret else None,
        }
    )


def _accept(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_show, args=(connection,), name="log", daemon=True).start()


def _show(connection: socket.socket) -> None:
    with connection, connection.makefile("r", encoding="utf-8", errors="backslashreplace") as lines:
        for line in lines:
            sys.stderr.write(line)
            sys.stderr.flush()


def _say_that_it_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        name = ended.thread.name if ended.thread is not None else "?"
        error = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        logger.error("the thread %s ended", name, exc_info=error)
