"""The client that awaits."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from holdfast_serving.client import plans
from holdfast_serving.client.answers import EntryAnswer, ReadyAnswer, SearchesAnswer
from holdfast_serving.client.async_operations import AsyncOperations
from holdfast_serving.client.calls import Call, transport_errors
from holdfast_serving.client.errors import ApiError
from holdfast_serving.client.inputs import UNSET, Image, Unset
from holdfast_serving.client.plans import Deleted, Embedded, Plan
from holdfast_serving.client.requests import EntryBody, Query
from holdfast_serving.client.retries import Attempts, RetryConfig
from holdfast_serving.client.upserts import OnError, Progress, Upserts, Written

T = TypeVar("T")


class AsyncClient(AsyncOperations):
    """Asks a server; may be shared by the tasks of one event loop, and is closed as an async context manager
    or by `close`.

    Args:
        url: of the server, with the path below which a proxy shows it: `https://example.org/gallery`.
        api_key: as `holdfast keys` made it.
        timeout: seconds that connecting, sending and each wait for more of an answer may take; or one of
            httpx, which tells them apart.
        retry: when a request is sent again.
        http: httpx's client to use, with its proxies and certificates; it is not closed.

    Every method raises an ApiError, with the server's own sentence.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
        *,
        timeout: float | httpx.Timeout = 30.0,
        retry: RetryConfig | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._url, self._timeout, self._retry = url.rstrip("/"), timeout, retry or RetryConfig()
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._http, self._own = http or httpx.AsyncClient(), http is None

    async def close(self) -> None:
        if self._own:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    async def call(self, call: Call[T]) -> T:
        request = call.request(self._url, self._headers, self._timeout)
        attempts = Attempts(self._retry, call)
        while True:
            try:
                with transport_errors(self._url):
                    response = await self._http.request(**request)
                return call.read(response)
            except ApiError as error:
                await asyncio.sleep(attempts.wait_after(error))

    async def upsert_many(
        self,
        entries: Iterable[EntryBody] | AsyncIterable[EntryBody],
        progress: Progress | None = None,
        *,
        on_error: OnError = "fail",
    ) -> Written:
        """Writes a stream of entries, in as many requests as it takes.

        An error says in a note how many were written before it. An entry is what its id says: given once
        more, the same entries change nothing.

        Args:
            progress: called with how many are written, after each request.
            on_error: with `skip` what cannot be written is left out, and `errors` of the answer names it.
        """
        stream = Upserts(progress, on_error)
        if isinstance(entries, Iterable):
            return await self._follow(stream.all(entries))
        async for entry in entries:
            if batch := stream.take(entry):
                await self._follow(stream.write(batch))
        await self._follow(stream.write(stream.rest()))
        return stream.written

    async def search_many(
        self,
        queries: Iterable[Query],
        *,
        model: str | Unset = UNSET,
        k: int | Unset = UNSET,
        filter: Mapping[str, Any] | Unset = UNSET,
        versions: Sequence[str] | Unset = UNSET,
        min_seq: int | Unset = UNSET,
        attributes: bool | Sequence[str] | Unset = UNSET,
        on_error: OnError = "fail",
    ) -> SearchesAnswer:
        """Any number of queries, answered together: `results` has one answer for each, in their order.

        Args:
            queries: each has an image, a text, a vector (with the model that made it) or the id of an entry.
            on_error: with `skip` the place of one that fails holds None, and `errors` says why.
        """
        shared = {
            "model": model,
            "k": k,
            "filter": filter,
            "versions": versions,
            "min_seq": min_seq,
            "attributes": attributes,
            "on_error": on_error,
        }
        return await self._follow(plans.search(queries, shared))

    async def embed_images(
        self, images: Iterable[Image], model: str = "live", *, user: str | Unset = UNSET
    ) -> Embedded:
        """Any number of images, by one version: given as the bytes of a file, its path, or base64."""
        return await self._follow(plans.embed(images, "image", model, user))

    async def embed_texts(
        self, texts: Iterable[str], model: str = "live", *, user: str | Unset = UNSET
    ) -> Embedded:
        """Any number of texts, by one version, which has to take text."""
        return await self._follow(plans.embed(texts, "text", model, user))

    async def get_many(self, ids: Iterable[str], *, vector: bool = False) -> dict[str, EntryAnswer]:
        """The entries that there are, by their ids, in the order asked for; any number."""
        return await self._follow(plans.look_up(ids, vector))

    async def delete_many(self, ids: Iterable[str]) -> int | None:
        """Deletes entries, also where there are none. The number of the last write; None if no id was
        given."""
        return await self._follow(plans.delete(ids))

    async def entries(
        self,
        *,
        filter: Mapping[str, Any] | Unset = UNSET,
        versions: Sequence[str] | Unset = UNSET,
        attributes: bool | Sequence[str] = True,
        vector: bool = False,
        page: int = plans.PAGE,
    ) -> AsyncIterator[EntryAnswer]:
        """All entries that match, in the order of their ids, as they are when their page is read.

        Args:
            attributes: those that are in the answer: all, none (False), or a list of names.
            vector: whether the vectors are.
            page: entries in a request.
        """
        after = None
        while True:
            found = await self.call(plans.page(after, filter, versions, attributes, vector, page))
            for entry in found.entries:
                yield entry
            if (after := found.next) is None:
                return

    async def delete_matching(
        self, filter: Mapping[str, Any], *, versions: Sequence[str] | Unset = UNSET
    ) -> Deleted:
        """Deletes all entries that match a filter, in as many requests as it takes; how many would go says
        `delete_entries(filter=..., dry_run=True)`."""
        return await self._follow(plans.delete_matching(filter, versions))

    async def wait_until_ready(self, seconds: float = 60.0) -> ReadyAnswer:
        """Until the server answers that it is ready. Raises the last ApiError after so many seconds."""
        until = time.monotonic() + seconds
        while True:
            try:
                return await self.readyz()
            except ApiError as error:
                if not error.passes or time.monotonic() > until:
                    raise
                await asyncio.sleep(0.2)

    async def _follow(self, plan: Plan[T]) -> T:
        """The plan's end, after all its calls."""
        try:
            call = next(plan)
            while True:
                try:
                    answer = await self.call(call)
                except ApiError as error:
                    call = plan.throw(error)
                else:
                    call = plan.send(answer)
        except StopIteration as end:
            return end.value
