"""When a request is sent again: by what was answered, by what it does, and not before it is asked for."""

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from holdfast_serving.client import (
    ApiError,
    AsyncClient,
    Client,
    ConflictError,
    ConnectionLostError,
    OverloadedError,
    RetryConfig,
    ServerError,
    TimedOutError,
    UnavailableError,
    UnexpectedAnswerError,
)

FOUND = {"seq": 7, "upserted": 1}


def alive() -> httpx.Response:
    return httpx.Response(200, json={"alive": True})


def refused(status: int, **headers: str) -> httpx.Response:
    error = {"type": "server_error", "code": "why", "message": "Not now.", "request_id": "r1"}
    return httpx.Response(status, json={"error": error}, headers=headers)


class Script:
    """A server that answers what is next, and keeps what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **retry: Any) -> Client:
        http = httpx.Client(transport=httpx.MockTransport(self))
        return Client("http://test", retry=RetryConfig(**retry), http=http)


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long clients would have slept."""
    times: list[float] = []
    monkeypatch.setattr("holdfast_serving.client.client.time.sleep", times.append)
    return times


Again = Callable[[], httpx.Response | Exception]
PASSES: list[Again] = [
    lambda: refused(429),
    lambda: refused(503),
    lambda: httpx.Response(502, text="<html>"),
    lambda: httpx.Response(504),
    lambda: httpx.ConnectError("refused"),
    lambda: httpx.ReadTimeout("slow"),
    lambda: httpx.RemoteProtocolError("cut"),
    lambda: httpx.ReadError("reset"),
]


@pytest.mark.parametrize("again", PASSES)
def test_what_passes_is_asked_again(again: Again, slept: list[float]) -> None:
    script = Script(again(), again(), httpx.Response(200, json=FOUND))
    answer = script.client().put_entries(entries=[{"id": "a", "vector": [1.0], "version": "v1"}])
    assert answer.seq == 7
    assert len({request.content for request in script.asked}) == 1
    assert len(slept) == 2
    assert slept[1] > slept[0] > 0


@pytest.mark.parametrize("again", PASSES[1:4] + PASSES[5:])
def test_what_may_have_been_done_is_not_done_twice(again: Again) -> None:
    for ask in (
        lambda client: client.roll_back(),
        lambda client: client.create_backfill(),
        lambda client: client.change_traffic(expect_epoch=1),
    ):
        script = Script(again())
        with pytest.raises(ApiError) as ended:
            ask(script.client())
        assert ended.value.done_or_not


def test_what_was_not_begun_is_asked_again_whatever_it_does() -> None:
    traffic = {"epoch": 2, "applied_epoch": 2, "canary_share": 0.0, "canary_keys": []}
    traffic |= {"forced": False, "note": "", "made_by": "", "shadow_version": None, "shadow_share": 1.0}
    traffic |= dict.fromkeys(("query_version", "write_version", "canary_version", "created_at"))
    script = Script(refused(429), httpx.ConnectError("refused"), httpx.Response(200, json=traffic))
    assert script.client().roll_back().epoch == 2


@pytest.mark.parametrize(
    ("status", "kind"), [(409, ConflictError), (500, ServerError), (422, ApiError), (418, ApiError)]
)
def test_what_would_fail_again_is_not_asked_again(status: int, kind: type[ApiError]) -> None:
    with pytest.raises(kind, match=r"Not now\.") as ended:
        Script(refused(status)).client().livez()
    assert (ended.value.status, ended.value.code, ended.value.request_id) == (status, "why", "r1")


def test_the_servers_wait_is_kept(slept: list[float]) -> None:
    in_20_seconds = formatdate(time.time() + 20, usegmt=True)
    answers = [refused(503, **{"Retry-After": wait}) for wait in ("3", in_20_seconds, "soon")]
    assert Script(*answers, alive()).client().livez().alive
    assert 3 <= slept[0] < 4
    assert 18 <= slept[1] < 26
    assert slept[2] < 2


def test_patience_has_an_end(slept: list[float]) -> None:
    with pytest.raises(OverloadedError):
        Script(*[refused(429)] * 3).client(attempts=3).livez()
    assert len(slept) == 2
    with pytest.raises(UnavailableError) as ended:
        Script(refused(503, **{"Retry-After": "120"})).client(total_seconds=60).livez()
    assert ended.value.retry_after == 120


def test_one_that_hangs_is_cut_off_and_says_so() -> None:
    with pytest.raises(TimedOutError, match="`timeout`"):
        Script(httpx.ReadTimeout("slow")).client(attempts=1).livez()
    with pytest.raises(ConnectionLostError, match="http://test broke off"):
        Script(httpx.ReadError("")).client(attempts=1).livez()


@pytest.mark.parametrize("answer", [{"alive": "perhaps"}, {}, [], "text"])
def test_an_answer_of_another_shape_is_an_error(answer: object) -> None:
    with pytest.raises(UnexpectedAnswerError, match="/livez"):
        Script(httpx.Response(200, json=answer)).client().livez()


def test_a_newer_server_may_say_more() -> None:
    answer = Script(httpx.Response(200, json={"alive": True, "since": 3})).client().livez()
    assert answer.model_extra == {"since": 3}


def test_a_path_and_a_prefix_are_kept() -> None:
    script = Script(httpx.Response(404, text="no"))
    http = httpx.Client(transport=httpx.MockTransport(script))
    client = Client("http://test/gallery/", "secret", http=http)
    with pytest.raises(ApiError):
        client.get_entry("a/b ?%2F", vector=True)
    (asked,) = script.asked
    assert asked.url.raw_path == b"/gallery/v1/gallery/entries/a%2Fb%20%3F%252F?vector=true"
    assert asked.headers["Authorization"] == "Bearer secret"
    assert "secret" not in repr(client)
    client.close()
    assert not http.is_closed


def test_the_client_that_awaits_asks_again() -> None:
    script = Script(refused(503, **{"Retry-After": "0"}), httpx.ConnectError("refused"), alive())

    async def work() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(script)) as http:
            client = AsyncClient("http://test", retry=RetryConfig(first_seconds=0), http=http)
            assert (await client.livez()).alive

    asyncio.run(work())
    assert len(script.asked) == 3
