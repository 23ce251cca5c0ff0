"""Two versions served at once over one gallery that both filled; traffic moves under load."""

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

DataUri = Callable[..., str]
COUNT = 1000
CHUNK = 50
REQUESTS_PER_SECOND = 20


def write(http: httpx.Client, data_uri: DataUri, first: int) -> int:
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
    content: dict[str, Any] = answer.json()
    return content


def test_two_versions_over_one_gallery_and_traffic_that_moves_under_load(
    server: Any, data_uri: DataUri
) -> None:
    with server.http() as http:
        change(http, query_version="v1", write_version="v1")
        write(http, data_uri, 0)
        change(http, write_version="v3")
        seq = write(http, data_uri, COUNT)
        change(http, write_version="v1")

        for version in ("v3", "v1"):
            right = 0
            for number in range(0, 2 * COUNT, 100):
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
