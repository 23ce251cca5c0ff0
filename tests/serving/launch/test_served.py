"""What only a real server shows: the proxy in front, the openai client, start, drain and exit."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

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


def test_a_first_start_has_shown_one_key_and_sigterm_answers_what_is_in_progress_and_exits_0(
    server: Any, data_uri: DataUri
) -> None:
    """The last test of the shared server."""
    assert server.key.startswith("hf_")
    said = server.said.read_text()
    assert said.startswith("API key (role admin, shown only now): ")
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
    assert server.process.wait(120) == 0
    assert server.said.read_text() == said
    with open_store(server.store) as store:
        Lease.take(store).release()
