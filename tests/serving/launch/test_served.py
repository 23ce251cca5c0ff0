"""What only a real server shows: the proxy in front, the openai client, start, drain and exit."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import openai
import pytest

from holdfast.entries import Entries, Lease
from holdfast.models import Encoder
from holdfast.store import open_store
from tests.fixtures.waiting import wait_until

DataUri = Callable[..., str]
COUNT = 200
CHUNK = 50
REQUESTS_PER_SECOND = 20
SECONDS = float(os.environ.get("HOLDFAST_KILLED_WRITER_SECONDS", "4"))
CLIENTS = 4

pytestmark = pytest.mark.long


def test_the_openai_client_gets_embeddings(
    server: Any, encoders: dict[str, Encoder], png: Callable[..., bytes], data_uri: DataUri
) -> None:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key) as client:
        answer = client.embeddings.create(model="v3", input=[data_uri(1), data_uri(2)])
        plain = client.embeddings.create(model="v3", input=data_uri(1), encoding_format="float")
        names = [model.id for model in client.models.list()]
        with pytest.raises(openai.NotFoundError, match="v9"):
            client.embeddings.create(model="v9", input=data_uri(1))
        with pytest.raises(openai.UnprocessableEntityError, match="not an image"):
            client.embeddings.create(model="v3", input="aGVsbG8=")
    assert answer.model == "v3"
    expected = encoders["v3"].embed([png(1), png(2)])
    np.testing.assert_allclose([row.embedding for row in answer.data], expected, atol=1e-5)
    np.testing.assert_allclose(plain.data[0].embedding, expected[0], atol=1e-5)
    assert names == ["v1", "v2", "v3"]


def test_a_wrong_key_is_refused_by_the_openai_client(server: Any, data_uri: DataUri) -> None:
    with (
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong-key") as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.embeddings.create(model="live", input=data_uri(1))


def test_errors_and_headers_survive_the_proxy(server: Any) -> None:
    with server.http() as http:
        answer = http.post("/v1/search", json={"k": 3}, headers={"X-Request-ID": "mine-7"})
        assert answer.status_code == 422
        assert answer.json()["error"]["request_id"] == "mine-7"
        assert answer.headers.get_list("X-Request-ID") == ["mine-7"]
        generated = http.get("/v1/nothing")
        assert generated.status_code == 404
        assert generated.headers.get_list("X-Request-ID") == [generated.json()["error"]["request_id"]]
        large = http.post("/v1/search", json={"image": "A" * (33 * 1024 * 1024)})
        assert large.status_code == 413


def test_many_at_once_share_passes_of_the_model(server: Any, data_uri: DataUri) -> None:
    statuses: list[int] = []
    body = {"model": "v1", "input": data_uri(4)}
    with server.http(limits=httpx.Limits(max_connections=48)) as http:
        threads = [
            threading.Thread(
                target=lambda: statuses.append(http.post("/v1/embeddings", json=body).status_code)
            )
            for _ in range(48)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        text = http.get("/metrics").text
    assert statuses == [200] * 48
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    passes = float(figures['holdfast_embed_batch_size_count{version="v1"}'])
    images = float(figures['holdfast_embed_batch_size_sum{version="v1"}'])
    assert passes < images


def check_slow_clients(server: Any) -> None:
    """400 slow clients keep nobody out, and are told why they were cut off."""
    key = f"Authorization: Bearer {server.key}\r\n"
    begins = (
        "GET /v1/models HTTP/1.1\r\nHost: x\r\n",
        "POST /v1/search HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
        f"POST /v1/search HTTP/1.1\r\nHost: x\r\n{key}Content-Length: 9\r\n\r\n{{",
        f"POST /v1/search HTTP/1.1\r\nHost: x\r\n{key}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n",
    )
    address = urlsplit(server.url)
    with contextlib.ExitStack() as stack:
        slow = []
        for number in range(400):
            connection = socket.create_connection((address.hostname, address.port), 20)
            slow.append(stack.enter_context(connection))
            connection.sendall(begins[number % 4].encode())
        with server.http() as http:
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


def test_no_server_answers_for_another_one_of_the_machine(
    server: Any, start_server: Callable[..., Any]
) -> None:
    """HAProxy falls back to Serve's own proxy while no replica answers; it must be this server's."""
    other = start_server(key=None, host="::", limits={"receive_seconds": 2}, access_log=True)
    with other.http() as http:
        assert http.get("/v1/models?password=hidden", headers={"X-Request-ID": "plain"}).status_code == 200
        with sqlite3.connect(other.store / "holdfast.db") as database:
            database.execute("ALTER TABLE backfills RENAME TO gone")
        failed = http.get("/v1/backfills", headers={"X-Request-ID": "broken"})
        assert failed.status_code >= 500
        assert (
            http.get("/v1/nothing", headers={"X-Request-ID": "not plain\xe9".encode("latin-1")}).status_code
            == 404
        )
    check_slow_clients(other)
    assert other.key != server.key
    (victim,) = other.processes("ServeReplica:holdfast:gateway")
    os.kill(victim, signal.SIGKILL)
    statuses, unanswered = set(), 0
    until = time.monotonic() + 4
    while time.monotonic() < until:
        with other.http() as http:  # A new connection each time: that is what the kernel shares.
            try:
                statuses.add(http.get("/v1/models").status_code)
            except httpx.RemoteProtocolError:
                unanswered += 1
        time.sleep(0.02)
    assert unanswered <= 1, "they come one after the other: only one can be inside a gateway that dies"
    assert statuses
    assert statuses <= {200, 503}, "401 is the other server's answer to a key that it does not know"
    other.process.send_signal(signal.SIGTERM)
    said = other.process.communicate(timeout=60)[1]
    assert other.process.returncode == 0
    assert " ERROR holdfast_serving." in said
    assert said.count("request=broken: ") == 1, "the log has the details under the request's id"
    assert "gone" in said or "no such table" in said
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    by_id = {line["request_id"]: line for line in lines}
    assert (by_id["plain"]["path"], by_id["plain"]["status"]) == ("/v1/models", 200)
    assert by_id["broken"]["status"] == failed.status_code
    assert other.key not in said
    assert "hidden" not in said


def test_a_first_start_shows_one_key_and_sigterm_answers_what_is_in_progress_and_exits_0(
    start_server: Callable[..., Any], data_uri: DataUri
) -> None:
    server = start_server(key=None, host="::1")
    assert server.url.startswith("http://[::1]:")
    assert server.key.startswith("hf_")
    with open_store(server.store) as store:
        assert store.keys.check(server.key) == "admin"
    late: dict[str, Any] = {}
    inside, enough = threading.Event(), threading.Event()

    def slow_body() -> Any:
        yield b'{"model": "v1", "input": "'
        inside.set()
        enough.wait(20)
        yield data_uri(1).encode() + b'"}'

    def slow_request() -> None:
        with server.http() as http:
            headers = {"Content-Type": "application/json"}
            late["answer"] = http.post("/v1/embeddings", content=slow_body(), headers=headers)

    with server.http() as http:
        assert http.get("/readyz").status_code == 200
        request = threading.Thread(target=slow_request)
        request.start()
        assert inside.wait(10)
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        refused: list[httpx.Response] = []

        def ask(path: str) -> httpx.Response:
            """The proxy that takes over new settings may refuse a connection in between."""
            found: list[httpx.Response] = []

            def answered() -> bool:
                with contextlib.suppress(httpx.ConnectError):
                    found.append(http.get(path))
                return bool(found)

            wait_until(answered, 15)
            return found[0]

        while len(refused) <= 5:
            assert request.is_alive()
            answer = ask("/v1/models")
            if answer.status_code != 200:
                refused.append(answer)
                assert ask("/livez").status_code == 200
                assert ask("/readyz").status_code == 503
            else:
                assert not refused
                assert time.monotonic() - told < 2, "a second, and one more for a busy machine"
            time.sleep(0.05)
        enough.set()
        request.join()
    assert late["answer"].status_code == 200
    for answer in refused:
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "not_ready"
        assert answer.headers["Retry-After"] == "1"
        assert answer.headers["Connection"] == "close"
    assert server.process.wait(30) == 0
    assert server.process.stderr.read() == ""
    with open_store(server.store) as store:
        Lease.take(store).release()


def test_what_was_served_is_in_the_store_afterwards(server: Any, data_uri: DataUri) -> None:
    with server.http() as http:
        http.put("/v1/gallery/entries", json={"entries": [{"id": "kept", "image": data_uri(9)}]})
    with open_store(server.store) as store:
        assert Entries(store).get("kept").version == "v1"
    with server.http() as http:
        assert http.delete("/v1/gallery/entries/kept").status_code == 200


@pytest.fixture
def emptied(server: Any) -> Iterator[None]:
    """Nothing that a test has written is left in the shared server's gallery."""
    yield
    with open_store(server.store) as store:
        Entries(store).delete([entry.id for batch in Entries(store).scan() for entry in batch])


def write_images(http: httpx.Client, data_uri: DataUri, first: int) -> int:
    """Writes COUNT images in chunks, by the version that writes now."""
    seq = 0
    for start in range(first, first + COUNT, CHUNK):
        items = [{"id": f"image-{n}", "image": data_uri(n)} for n in range(start, start + CHUNK)]
        answer = http.put("/v1/gallery/entries", json={"entries": items})
        assert answer.status_code == 200, answer.text
        seq = answer.json()["seq"]
    return seq


def change(http: httpx.Client, **fields: Any) -> dict[str, Any]:
    epoch = http.get("/v1/traffic").json()["epoch"]
    answer = http.put("/v1/traffic", json={"expect_epoch": epoch, **fields})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_two_versions_over_one_gallery_and_traffic_that_moves_under_load(
    server: Any, data_uri: DataUri, emptied: None
) -> None:
    with server.http() as http:
        change(http, query_version="v1", write_version="v1")
        write_images(http, data_uri, 0)
        change(http, write_version="v3")
        seq = write_images(http, data_uri, COUNT)
        change(http, write_version="v1")

        for version in ("v3", "v1"):
            right = 0
            for number in range(0, 2 * COUNT, COUNT // 10):
                body = {"image": data_uri(number), "model": version, "k": 1, "min_seq": seq}
                found = http.post("/v1/search", json=body).json()
                assert found["query_version"] == version
                assert found["versions"] == ["v1", "v3"]
                hit = found["hits"][0]
                right += hit["id"] == f"image-{number}"
                assert hit["embedded_by"] in ("v1", "v3")
            assert right >= 18, f"{version} found {right} of 20"
        state = http.get("/v1/gallery").json()
        assert (state["entries"]["v1"], state["entries"]["v3"]) == (COUNT, COUNT)
        # A gateway got one core of Ray's, so one thread searches.
        assert state["index"]["threads"] == 1

        refused = http.post("/v1/search", json={"image": data_uri(), "model": "v2"})
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "incompatible_versions"

        answers = search_steadily(server, data_uri, lambda: promote_and_roll_back(http))
    failed = [answer for answer in answers if answer[0] != 200]
    assert not failed, failed[:3]
    assert len(answers) >= 4 * REQUESTS_PER_SECOND
    assert {version for _, version in answers} == {"v1", "v3"}


def test_a_shadow_is_compared_and_a_change_is_made_at_its_moment(
    server: Any, data_uri: DataUri, emptied: None
) -> None:
    with server.http() as http:
        change(http, query_version="v1", write_version="v1")
        seq = write_images(http, data_uri, 0)
        change(http, shadow_version="v3")
        for number in range(10):
            body = {"image": data_uri(number), "min_seq": seq, "relevant": [f"image-{number}"]}
            assert http.post("/v1/search", json=body).json()["query_version"] == "v1"
        wait_until(lambda: http.get("/v1/traffic/shadow").json()["judged"] == 10)
        figures = http.get("/v1/traffic/shadow").json()
        assert (figures["queries"], figures["failed"]) == (10, 0)
        assert figures["overlap"]["value"] > 0.3
        wish = {"at": datetime.now(UTC).isoformat(), "shadow_version": None, "why": "enough was seen"}
        (planned,) = http.post("/v1/traffic/schedule", json=wish).json()["scheduled"]
        wait_until(lambda: http.get("/v1/traffic").json()["shadow_version"] is None)
        (made,) = http.get("/v1/traffic/schedule").json()["scheduled"]
        assert (made["id"], made["status"]) == (planned["id"], "done")
        newest = http.get("/v1/traffic/history").json()["records"][0]
        assert (newest["epoch"], newest["note"]) == (made["epoch"], f"{made['id']}: enough was seen")


def promote_and_roll_back(http: httpx.Client) -> None:
    for _ in range(3):
        assert change(http, query_version="v3")["query_version"] == "v3"
        time.sleep(0.9)
        assert http.post("/v1/traffic/rollback", json={}).json()["query_version"] == "v1"
        time.sleep(0.9)


def search_steadily(server: Any, data_uri: DataUri, work: Callable[[], None]) -> list[tuple[int, str]]:
    """Searches at a steady rate, however slow the answers, while `work` runs: (status, version) of each."""
    answers: list[tuple[int, str]] = []
    finished = threading.Event()

    def one(http: httpx.Client, number: int) -> None:
        try:
            answer = http.post("/v1/search", json={"image": data_uri(number), "k": 5})
            answers.append((answer.status_code, answer.headers.get("X-Model-Version", "")))
        except httpx.HTTPError as error:
            answers.append((0, repr(error)))

    def client() -> None:
        with server.http(limits=httpx.Limits(max_connections=64)) as http:
            threads = []
            begun = time.monotonic()
            number = 0
            while not finished.is_set():
                threads.append(threading.Thread(target=one, args=(http, number)))
                threads[-1].start()
                number += 1
                time.sleep(max(0.0, begun + number / REQUESTS_PER_SECOND - time.monotonic()))
            for thread in threads:
                thread.join()

    searching = threading.Thread(target=client)
    searching.start()
    try:
        work()
    finally:
        finished.set()
        searching.join()
    return answers


def vector(name: str) -> list[float]:
    numbers = np.random.default_rng(abs(hash(name)) % 2**32).normal(size=16)
    return (numbers / np.linalg.norm(numbers)).tolist()


def test_every_acknowledged_entry_survives_the_death_of_the_writer(server: Any, emptied: None) -> None:
    acknowledged: dict[str, int] = {}
    statuses: dict[int, int] = {}
    deadline = time.monotonic() + SECONDS

    def upsert_steadily(client: int) -> None:
        with server.http() as http:
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
    (victim,) = server.processes("ServeReplica:holdfast:writer")
    os.kill(victim, signal.SIGKILL)
    for thread in threads:
        thread.join()

    assert acknowledged, statuses
    assert set(statuses) <= {200, 503}
    with server.http() as http:
        wait_until(lambda: put_last(http).status_code == 200, pause=0.2)
        for name in list(acknowledged)[:: max(1, len(acknowledged) // 50)]:
            assert http.get(f"/v1/gallery/entries/{name}").status_code == 200
        state = http.get("/v1/gallery").json()
    with open_store(server.store) as store:
        stored = {entry.id: entry for batch in Entries(store).scan() for entry in batch}
    missing = [name for name in acknowledged if name not in stored]
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged entries are gone"
    for name, seq in acknowledged.items():
        assert stored[name].seq == seq
        np.testing.assert_allclose(stored[name].vector, vector(name), atol=1e-6)
    assert state["last_seq"] >= max(acknowledged.values())


def test_nobody_is_refused_after_the_death_of_the_proxy(server: Any) -> None:
    """Who was connected loses the connection; who comes then waits for some hundredths of a second."""
    for _ in range(3):
        with server.http() as http:
            assert http.get("/v1/models").status_code == 200
        keepers = server.processes("launch/keeper.py")
        (victim,) = (pid for pid in server.processes("/haproxy\0-db") if pid not in keepers)
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        while time.monotonic() < killed + 0.5:
            with server.http() as http:
                assert http.get("/v1/models").status_code == 200


def put_last(http: httpx.Client) -> httpx.Response:
    entry = {"id": "killed-last", "vector": vector("last"), "version": "v1"}
    return http.put("/v1/gallery/entries", json={"entries": [entry]})
