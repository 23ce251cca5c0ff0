"""The clients against a served store: what is written is found, and what is refused is said."""

import asyncio
import base64
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast_serving.client import (
    ApiError,
    AsyncClient,
    Client,
    ConflictError,
    EntryBody,
    InvalidRequestError,
    NoConnectionError,
    NotFoundError,
    Query,
    RetryConfig,
    TooLargeError,
    UnauthorizedError,
)
from tests.fixtures.endpoints import DIMENSION

Png = Callable[..., bytes]
ONCE = RetryConfig(attempts=1)


def basis(number: int) -> np.ndarray:
    return np.eye(DIMENSION, dtype=np.float32)[number % DIMENSION]


def entries(count: int) -> list[EntryBody]:
    return [
        {"id": f"e/{n}", "vector": basis(n), "version": "clip", "attributes": {"number": n}}
        for n in range(count)
    ]


def test_the_client_imports_neither_torch_nor_ray() -> None:
    code = (
        "import sys\nfrom holdfast_serving import client\n"
        "[getattr(client, name) for name in client.__all__]\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & set(sys.argv[1:])))"
    )
    unwanted = ["torch", "ray", "faiss", "sqlalchemy", "fastapi", "PIL", "pyarrow", "pandas"]
    done = subprocess.run([sys.executable, "-c", code, *unwanted], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_image_is_found_by_its_words_its_bytes_and_its_file(
    client: Client, png: Png, tmp_path: Path
) -> None:
    file = tmp_path / "one.png"
    file.write_bytes(png(1))
    written = client.upsert_many(
        [
            {"id": "bytes", "image": png(0), "attributes": {"price": 4.5}},
            {"id": "file", "image": file},
            {"id": "base64", "image": base64.b64encode(png(2)).decode()},
        ]
    )
    assert written.entries == 3
    found = client.search(image=file, k=1, min_seq=written.seq)
    assert [hit.id for hit in found.hits] == ["file"]
    assert found.hits[0].score == pytest.approx(1.0, abs=1e-4)
    assert found.query_version == "v1"
    cheap = client.search(image=png(0), filter={"price": {"lt": 5}}, min_seq=written.seq)
    assert [(hit.id, hit.attributes) for hit in cheap.hits] == [("bytes", {"price": 4.5})]
    assert {hit.id for hit in client.search(text="red", min_seq=written.seq).hits} == {
        "bytes",
        "file",
        "base64",
    }


def test_embeddings_are_arrays_in_the_order_given(client: Client, png: Png) -> None:
    texts = [f"number {n}" for n in range(300)]  # more than one request
    embedded = client.embed_texts(texts)
    assert (embedded.vectors.shape, embedded.vectors.dtype, embedded.version) == (
        (300, DIMENSION),
        "float32",
        "v1",
    )
    np.testing.assert_allclose(np.linalg.norm(embedded.vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(client.embed_texts(texts[299:]).vectors, embedded.vectors[299:], atol=1e-6)
    images = client.embed_images(png(n % 3) for n in range(70))
    assert images.vectors.shape == (70, DIMENSION)
    np.testing.assert_allclose(images.vectors[69], images.vectors[0], atol=1e-6)
    assert client.embed_texts([]).vectors.shape == (0, 0)


def test_a_stream_takes_as_many_requests_as_it_needs(client: Client) -> None:
    said: list[int] = []
    written = client.upsert_many(iter(entries(2500)), said.append)
    assert said == [1000, 2000, 2500]
    assert written.entries == 2500
    got = client.get_many([f"e/{n}" for n in range(2400, 2600)], vector=True)
    assert list(got) == [f"e/{n}" for n in range(2400, 2500)]
    np.testing.assert_allclose(got["e/2401"].vector, basis(2401))
    # Given once more, it changes nothing.
    client.upsert_many(entries(2500))
    again = client.get_many(got, vector=True)
    assert [entry.model_dump(exclude={"seq"}) for entry in again.values()] == [
        entry.model_dump(exclude={"seq"}) for entry in got.values()
    ]
    assert client.delete_many(again) is not None
    assert client.delete_many(again) is not None
    assert client.get_many(again) == {}
    assert len(client.get_many(each["id"] for each in entries(2500))) == 2400


def test_a_stream_that_is_refused_says_how_far_it_came(client: Client) -> None:
    broken: list[EntryBody] = [*entries(1000), {"id": "wrong", "vector": [1.0], "version": "clip"}]
    with pytest.raises(InvalidRequestError, match="'wrong' has shape") as refused:
        client.upsert_many(broken)
    assert refused.value.__notes__ == ["The 1,000 entries before these are written."]
    assert len(client.get_many(each["id"] for each in broken)) == 1000


def test_a_stream_goes_on_without_what_cannot_be_written(client: Client) -> None:
    given: list[EntryBody] = entries(2500)
    for place in (3, 1001, 2499):
        given[place] = {"id": f"wrong/{place}", "vector": [1.0], "version": "clip"}
    written = client.upsert_many(given, on_error="skip")
    assert (written.entries, [each.index for each in written.errors]) == (2497, [3, 1001, 2499])
    assert all(each.code == "invalid_vector" for each in written.errors)
    client.delete_many(each["id"] for each in given)


def test_many_queries_are_answered_in_their_order(client: Client, png: Png) -> None:
    written = client.upsert_many({"id": str(n), "image": png(n)} for n in range(5))
    queries: list[Query] = [{"image": png(n % 5)} for n in range(70)]  # more than one request
    found = client.search_many(queries, k=1, min_seq=written.seq)
    assert [answer.hits[0].id for answer in found.results if answer] == [str(n % 5) for n in range(70)]
    queries[66] = {"id": "nobody"}
    with pytest.raises(NotFoundError, match="nobody"):
        client.search_many(queries)
    found = client.search_many(queries, k=1, on_error="skip")
    assert [each.index for each in found.errors or ()] == [66]
    assert [at for at, answer in enumerate(found.results) if answer is None] == [66]


def test_more_than_a_server_takes_goes_in_halves(client: Client, png: Png, monkeypatch: Any) -> None:
    monkeypatch.setattr("holdfast_serving.client.upserts.VECTORS", 3000)
    said: list[int] = []
    assert client.upsert_many(entries(2000), said.append).entries == 2000
    assert said == [1000, 2000]
    with pytest.raises(TooLargeError, match="bytes"):
        client.upsert_many([{"id": "huge", "image": "A" * 40_000_000}])


def test_errors_are_the_servers_own_sentences(client: Client, served: Any) -> None:
    with pytest.raises(NotFoundError, match="nobody") as refused:
        client.get_entry("nobody/..")
    assert (refused.value.status, refused.value.code) == (404, "not_found")
    assert refused.value.request_id
    with pytest.raises(InvalidRequestError, match="exactly one of image, text, vector and id"):
        client.search()
    with pytest.raises(ConflictError) as stale:
        client.change_traffic(expect_epoch=10**6, canary_version=None)
    assert stale.value.code == "stale_epoch"
    with Client(served.url, "wrong") as stranger, pytest.raises(UnauthorizedError, match="key"):
        stranger.list_models()
    with Client("http://127.0.0.1:9", retry=ONCE) as nowhere, pytest.raises(NoConnectionError, match=":9"):
        nowhere.livez()
    with pytest.raises(ApiError), Client("http://127.0.0.1:9", retry=ONCE) as nowhere:
        nowhere.wait_until_ready(seconds=0)


def test_what_is_left_out_stays_and_null_takes_away(client: Client) -> None:
    client.upsert_many(entries(2))
    traffic = client.get_traffic()
    told = client.change_traffic(
        expect_epoch=traffic.epoch, canary_version="v1", canary_share=0.5, force=True
    )
    assert (told.query_version, told.canary_version) == ("v1", "v1")
    assert client.change_traffic(expect_epoch=told.epoch, canary_version=None).canary_version is None


def test_the_rest_of_the_routes(client: Client) -> None:
    assert client.wait_until_ready().ready
    assert client.livez().alive
    assert "holdfast_" in client.metrics()
    assert client.get_model("live").id == client.list_models().data[0].id == "v1"
    assert client.verify_gallery().ok
    assert client.list_backfills().backfills == []
    with pytest.raises(NotFoundError):
        client.get_backfill("b1")


def test_the_client_that_awaits(served: Any, client: Client, png: Png) -> None:
    async def stream() -> AsyncIterator[EntryBody]:
        for entry in entries(1200):
            yield entry

    async def work() -> None:
        async with AsyncClient(served.url, served.key) as opened:
            assert (await opened.wait_until_ready()).ready
            written = await opened.upsert_many(stream())
            assert written.entries == 1200
            assert (await opened.upsert_many(entries(3))).entries == 3
            asked = [opened.search(vector=basis(n), model="clip", k=1, min_seq=written.seq) for n in range(8)]
            for number, found in enumerate(await asyncio.gather(*asked)):
                assert int(found.hits[0].id[2:]) % DIMENSION == number
            assert list(await opened.get_many(["e/1", "nobody"])) == ["e/1"]
            images = await opened.embed_images([png(0)])
            texts = await opened.embed_texts(["a", "b"], "clip")
            assert (images.vectors.shape, texts.vectors.shape) == ((1, DIMENSION), (2, DIMENSION))
            with pytest.raises(NotFoundError, match="nobody"):
                await opened.get_entry("nobody")
            assert await opened.delete_many([]) is None
            assert await opened.delete_many(["e/1"]) is not None
            assert list(await opened.get_many(["e/1", "e/2"])) == ["e/2"]

    asyncio.run(work())


def test_entries_come_page_by_page_and_go_by_a_filter(client: Client) -> None:
    client.upsert_many(entries(25))
    wanted = {"number": {"gte": 5}}
    found = list(client.entries(filter=wanted, attributes=["number"], page=7))
    assert [entry.id for entry in found] == sorted(f"e/{n}" for n in range(5, 25))
    assert [entry.attributes for entry in found] == [{"number": int(entry.id[2:])} for entry in found]
    first = next(client.entries(vector=True, attributes=False, versions=["clip"]))
    assert (first.attributes, len(first.vector)) == ({}, DIMENSION)
    assert client.delete_entries(filter=wanted, dry_run=True).count == 20
    assert client.delete_matching(wanted, versions=["clip"]).count == 20
    assert client.count_entries().count == 5
    with pytest.raises(InvalidRequestError, match="empty filter"):
        client.delete_matching({})


async def _listed(url: str, key: str) -> tuple[list[str], int]:
    async with AsyncClient(url, key) as client:
        found = [entry.id async for entry in client.entries(filter={"number": {"lt": 3}}, page=2)]
        return found, (await client.delete_matching({"number": {"lt": 3}})).count


def test_the_client_that_awaits_lists_and_deletes(client: Client, served: Any) -> None:
    client.upsert_many(entries(5))
    assert asyncio.run(_listed(served.url, served.key)) == (["e/0", "e/1", "e/2"], 3)
