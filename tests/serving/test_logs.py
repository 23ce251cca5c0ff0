"""What a server says: whole lines with the request's id and no secret, and never waited for."""

import io
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from holdfast_serving import logs


@pytest.fixture(autouse=True)
def _loggers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As they were, afterwards."""
    monkeypatch.delenv(logs.SOCKET, raising=False)
    names = (*logs.OURS, logs.ACCESS)
    before = [(name, vars(logging.getLogger(name)).copy()) for name in names]
    hook = threading.excepthook
    yield
    threading.excepthook = hook
    for name, state in before:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = state["handlers"], state["propagate"]
        logger.setLevel(state["level"])


def logged(text: str, *arguments: object, error: Exception | None = None) -> str:
    logger = logging.getLogger("holdfast_serving.test")
    return logs.Lines().format(
        logger.makeRecord(
            logger.name,
            logging.ERROR,
            "file",
            1,
            text,
            arguments,
            (type(error), error, None) if error is not None else None,
        )
    )


def test_a_line_has_the_id_of_its_request_and_no_secret() -> None:
    token = logs.request_id.set("mine-7")
    try:
        line = logged("no %s", "postgresql+psycopg://me:s3cret@host/db")
        assert " ERROR holdfast_serving.test request=mine-7: no postgresql" in line
        line += logged("failed", error=RuntimeError("Authorization: Bearer hf_s3cret at ?password=s3cret"))
        assert "RuntimeError" in line
        assert "s3cret" not in line
    finally:
        logs.request_id.reset(token)


def test_other_processes_lines_reach_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    logs.show_logs(tmp_path)
    logs.write_logs(access=True)  # as a replica does, which finds the variable
    logging.getLogger("holdfast.index.local.snapshots").warning("The snapshot 7 is damaged.")
    logging.getLogger("holdfast.entries").info("not wanted")
    logging.getLogger(logs.ACCESS).info(logs.access_line("GET", "/v1/\n", 200, 0.1, "v1", "key"))
    thread = threading.Thread(target=lambda: 1 / 0, name="feeder")
    thread.start()
    thread.join()
    until = time.monotonic() + 10
    while "ZeroDivisionError" not in said.getvalue() and time.monotonic() < until:
        time.sleep(0.01)
    lines = said.getvalue().splitlines()
    assert lines[0].endswith("WARNING holdfast.index.local.snapshots: The snapshot 7 is damaged.")
    access = json.loads(lines[1])
    assert (access["path"], access["ms"], access["key"]) == ("/v1/\n", 100.0, "2c70e12b")
    assert "the thread feeder ended" in lines[2]
    assert lines[-1].startswith("ZeroDivisionError")


def test_a_server_that_nobody_listens_to_goes_on(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "log"))
        listening.listen()
        handler = logs.ToServer(str(tmp_path / "log"))
        handler.setFormatter(logging.Formatter())
        record = logging.makeLogRecord({"msg": "x" * 1000})
        for _ in range(5000):
            handler.emit(record)
        connection, _ = listening.accept()
        connection.settimeout(0.02)
        read = bytearray()

        def read_on() -> None:
            while True:
                try:
                    read.extend(connection.recv(1 << 20))
                except TimeoutError:
                    return

        with connection:
            for _ in range(30):
                read_on()
                handler.emit(record)
            read_on()
    assert b"lines of the log were left out" in read
    assert handler._socket is not None
    handler._socket.close()


def test_a_defect_is_answered_with_the_id_that_the_log_has(
    serve_here: Callable[..., TestClient], admin_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve_here()
    replica = client.app.state.replica  # type: ignore[attr-defined]
    replica.current_traffic = lambda: 1 / 0
    answer = client.get("/v1/traffic", headers={"X-API-Key": admin_key, "X-Request-ID": "mine-7"})
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert answer.json()["error"]["request_id"] == "mine-7"
    assert answer.headers.get_list("X-Request-ID") == ["mine-7"]
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.name.startswith("holdfast_serving")
    assert 'code="500"' in client.get("/metrics").text


def test_a_line_of_json_has_the_traceback_and_no_secret() -> None:
    token = logs.request_id.set("mine-8")
    logger = logging.getLogger("holdfast_serving.test")
    try:
        raise RuntimeError("Authorization: Bearer hf_s3cret")
    except RuntimeError as error:
        caught = (type(error), error, error.__traceback__)
    try:
        record = logger.makeRecord(logger.name, logging.ERROR, "file", 1, "two\nlines", (), caught)
        line = logs.JsonLines().format(record)
    finally:
        logs.request_id.reset(token)
    assert "\n" not in line
    assert "s3cret" not in line
    found = json.loads(line)
    assert (found["level"], found["message"], found["request_id"]) == ("ERROR", "two\nlines", "mine-8")
    assert "RuntimeError" in found["traceback"]
