"""A real server whose clients are slow, broken and many, and whose processes are killed."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from experiments.benchmarks.failures import bad_clients
from experiments.benchmarks.harness.child import module_command, module_environment
from holdfast.entries import Entries
from holdfast.store import open_store
from tests.fixtures.waiting import wait_until

SECONDS = float(os.environ.get("HOLDFAST_KILLED_WRITER_SECONDS", "4"))
CLIENTS = 4

pytestmark = pytest.mark.long


def test_what_fails_is_logged_under_its_id_and_no_secret_is(battered: Any) -> None:
    assert battered.url.startswith("http://[::1]:")
    with battered.http() as http:
        assert http.get("/v1/models?password=hidden", headers={"X-Request-ID": "plain"}).status_code == 200
        with sqlite3.connect(battered.store / "holdfast.db") as database:
            database.execute("ALTER TABLE backfills RENAME TO gone")
        failed = http.get("/v1/backfills", headers={"X-Request-ID": "broken"})
        with sqlite3.connect(battered.store / "holdfast.db") as database:
            database.execute("ALTER TABLE gone RENAME TO backfills")
        assert failed.status_code >= 500
        not_plain = {"X-Request-ID": "not plain\xe9".encode("latin-1")}
        assert http.get("/v1/nothing", headers=not_plain).status_code == 404

    def lines() -> dict[str, Any]:
        said = [json.loads(line) for line in battered.said.read_text().splitlines() if line.startswith("{")]
        return {line["request_id"]: line for line in said}

    by_id = wait_until(lambda: {"plain", "broken"} <= set(found := lines()) and found)
    assert (by_id["plain"]["path"], by_id["plain"]["status"]) == ("/v1/models", 200)
    assert by_id["broken"]["status"] == failed.status_code
    said = battered.said.read_text()
    assert " ERROR holdfast_serving." in said
    assert said.count("request=broken: ") == 1, "the log has the details under the request's id"
    assert "gone" in said or "no such table" in said


def test_slow_clients_keep_nobody_out(battered: Any) -> None:
    """400 slow clients keep nobody out, and are told why they were cut off."""
    key = f"Authorization: Bearer {battered.key}\r\n"
    begins = (
        "GET /v1/models HTTP/1.1\r\nHost: x\r\n",
        "POST /v1/search HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
        f"POST /v1/search HTTP/1.1\r\nHost: x\r\n{key}Content-Length: 9\r\n\r\n{{",
        f"POST /v1/search HTTP/1.1\r\nHost: x\r\n{key}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n",
    )
    address = urlsplit(battered.url)
    with contextlib.ExitStack() as stack:
        slow = []
        for number in range(400):
            connection = socket.create_connection((address.hostname, address.port), 20)
            slow.append(stack.enter_context(connection))
            connection.sendall(begins[number % 4].encode())
        with battered.http() as http:
            assert [http.get("/v1/models").status_code for _ in range(3)] == [200] * 3
        codes = (("408", None), ("401", "unauthorized"), *[("408", "request_timeout")] * 2)
        for connection, (status, code) in zip(slow[:4], codes, strict=True):
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            head, _, body = answer.decode().partition("\r\n\r\n")
            assert head.split()[1] == status
            # Headers that never end are HAProxy's to refuse, before there is a request, in its own words.
            assert code is None or json.loads(body)["error"]["code"] == code


def test_no_search_fails_beside_bad_clients(battered: Any) -> None:
    command = module_command(bad_clients.__name__, "--seconds", "5", "--searches", "5", "--held", "60")
    given = ["--url", battered.url, "--key", battered.key]
    ran = subprocess.run([*command, *given], env=module_environment(), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert result["searches"] >= 20
    assert not result["failed"]
    assert len(result["clients"]) >= 8


def test_no_server_answers_for_another_one_of_the_machine(server: Any, battered: Any) -> None:
    """HAProxy falls back to Serve's own proxy while no replica answers; it must be this server's."""
    assert battered.key != server.key
    (victim,) = battered.processes("ServeReplica:holdfast:gateway")
    os.kill(victim, signal.SIGKILL)
    statuses, unanswered = set(), 0
    until = time.monotonic() + 4
    while time.monotonic() < until:
        with battered.http() as http:  # A new connection each time: that is what the kernel shares.
            try:
                statuses.add(http.get("/v1/models").status_code)
            except httpx.RemoteProtocolError:
                unanswered += 1
        time.sleep(0.02)
    assert unanswered <= 1, "they come one after the other: only one can be inside a gateway that dies"
    assert statuses
    assert statuses <= {200, 503}, "401 is the other server's answer to a key that it does not know"


def vector(name: str) -> list[float]:
    numbers = np.random.default_rng(abs(hash(name)) % 2**32).normal(size=16)
    return (numbers / np.linalg.norm(numbers)).tolist()


def test_every_acknowledged_entry_survives_the_death_of_the_writer(battered: Any) -> None:
    with battered.http() as http:
        wait_until(lambda: put_last(http).status_code == 200, pause=0.2)
    acknowledged: dict[str, int] = {}
    statuses: dict[int, int] = {}
    deadline = time.monotonic() + SECONDS

    def upsert_steadily(client: int) -> None:
        with battered.http() as http:
            number = 0
            while time.monotonic() < deadline:
                name = f"killed-{client}-{number}"
                number += 1
                entry = {"id": name, "vector": vector(name), "version": "v1", "attributes": {"by": client}}
                answer = http.put("/v1/gallery/entries", json={"entries": [entry]})
                statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
                if answer.status_code == 200:
                    acknowledged[name] = answer.json()["seq"]
                else:
                    assert answer.status_code == 503, answer.text
                    assert answer.json()["error"]["code"] == "not_ready"
                    assert answer.headers["Retry-After"] == "1"
                    time.sleep(0.1)

    threads = [threading.Thread(target=upsert_steadily, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS / 4)
    (victim,) = battered.processes("ServeReplica:holdfast:writer")
    os.kill(victim, signal.SIGKILL)
    for thread in threads:
        thread.join()

    assert acknowledged, statuses
    assert set(statuses) <= {200, 503}
    with battered.http() as http:
        wait_until(lambda: put_last(http).status_code == 200, pause=0.2)
        for name in list(acknowledged)[:: max(1, len(acknowledged) // 50)]:
            assert http.get(f"/v1/gallery/entries/{name}").status_code == 200
        state = http.get("/v1/gallery").json()
    with open_store(battered.store) as store:
        stored = {entry.id: entry for batch in Entries(store).scan() for entry in batch}
    missing = [name for name in acknowledged if name not in stored]
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged entries are gone"
    for name, seq in acknowledged.items():
        assert stored[name].seq == seq
        np.testing.assert_allclose(stored[name].vector, vector(name), atol=1e-6)
    assert state["last_seq"] >= max(acknowledged.values())


def test_nobody_is_refused_after_the_death_of_the_proxy(battered: Any) -> None:
    """Who was connected loses the connection; who comes then waits for some hundredths of a second."""

    def proxies() -> list[int]:
        # The keeper's title holds the proxy's, and so does its child's until that is the proxy.
        found = battered.processes("/haproxy\0-db")
        keepers = battered.processes("launch/keeper.py")
        return [pid for pid in found if pid not in keepers]

    for _ in range(3):
        with battered.http() as http:
            assert http.get("/v1/models").status_code == 200
        wait_until(lambda: len(proxies()) == 1)
        os.kill(proxies()[0], signal.SIGKILL)
        killed = time.monotonic()
        while time.monotonic() < killed + 0.5:
            with battered.http() as http:
                assert http.get("/v1/models").status_code == 200


def put_last(http: httpx.Client) -> httpx.Response:
    entry = {"id": "killed-last", "vector": vector("last"), "version": "v1"}
    return http.put("/v1/gallery/entries", json={"entries": [entry]})


def test_what_was_ill_treated_ends_as_it_should_and_never_shows_its_key(battered: Any) -> None:
    battered.process.send_signal(signal.SIGTERM)
    assert battered.process.wait(120) == 0
    before, said = battered.said.read_text().split("\n", 1)
    assert battered.key in before
    assert battered.key not in said
    assert "hidden" not in said
