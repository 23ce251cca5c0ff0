"""How a request comes in: its key is checked on the headers, and its body is received within bounds of size,
of time and of memory, all before anything works on it."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.base import HoldfastError, TooLargeError
from holdfast.store import Key
from holdfast_serving.config import Limits
from holdfast_serving.http.auth import Gatekeeper, check_known, check_shown, secret_of
from holdfast_serving.http.errors import TooSlowError
from holdfast_serving.http.limits import ALWAYS_ANSWERED
from holdfast_serving.http.refusals import has_body, refuse
from holdfast_serving.replica import OverloadedError


class ClientLeftError(Exception):
    """The client hung up before its request was whole: nobody waits for an answer."""


class ReceiveWhole:
    """ASGI middleware: lets a request through once it is whole, with its key in `state["key"]`.

    A body is received only from who has a key: 401 before it. Then 413 for one over the limit, announced or
    found out, 408 for one that takes too long, 429 when all bodies together are too much.
    """

    def __init__(self, app: ASGIApp, gatekeeper: Gatekeeper, limits: Limits) -> None:
        self._app = app
        self._gatekeeper = gatekeeper
        self._memory = Memory(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        body = Body(self._memory)
        try:
            if has_body(headers):
                state["key"] = await self._receive(body, headers, receive)
                receive = body.replayed(receive)
            else:
                state["key"] = await self._key(headers)
            await self._app(scope, receive, send)
        except HoldfastError as error:
            await refuse(error, scope, receive, send, whole=body.whole)
        except ClientLeftError:
            pass
        finally:
            body.free()

    async def _key(self, headers: Headers) -> Key | None:
        secret = secret_of(headers)
        return await self._gatekeeper.key(secret) if secret else None

    async def _receive(self, body: "Body", headers: Headers, receive: Receive) -> Key:
        """The key that the body came with."""
        secret = secret_of(headers)
        check_shown(secret)
        remembered = self._gatekeeper.remembered(secret)
        if remembered is not None:
            await body.fill(headers, receive)
            return check_known(remembered)
        # Received while the key is looked up: what nobody receives piles up in Serve without a bound.
        receiving = asyncio.create_task(body.fill(headers, receive))
        try:
            key = check_known(await self._key(headers))
            await receiving
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
        return key


class Memory:
    """What all bodies that are received or worked on may take."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._taken = 0

    def take(self, size: int) -> None:
        """Raises OverloadedError."""
        if self._taken + size > self.limits.bodies_bytes:
            raise OverloadedError("The bodies of other requests fill the memory; try again in a second.")
        self._taken += size

    def give_back(self, size: int) -> None:
        self._taken -= size


class Body:
    """The body of one request."""

    def __init__(self, memory: Memory) -> None:
        self.whole = False
        self._memory = memory
        self._content = bytearray()
        self._size = 0

    async def fill(self, headers: Headers, receive: Receive) -> None:
        """Receives all of it. Raises TooLargeError, TooSlowError, OverloadedError, ClientLeftError."""
        limits = self._memory.limits
        announced = headers.get("content-length", "")
        if announced.isdigit() and int(announced) > limits.body_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(limits.receive_seconds):
                while not self.whole:
                    self._add(await receive())
        except TimeoutError:
            raise TooSlowError(
                f"The request was not whole after {limits.receive_seconds:g} seconds: {self._size:,} bytes "
                "of its body had come. Send less in one request, or over a faster connection."
            ) from None

    def replayed(self, receive: Receive) -> Receive:
        """Gives the whole body as one message, then what else comes."""
        given = False

        async def next_message() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            content = bytes(self._content)
            self._content.clear()
            return {"type": "http.request", "body": content, "more_body": False}

        return next_message

    def free(self) -> None:
        self._memory.give_back(self._size)
        self._size = 0

    def _add(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        self.whole = not message.get("more_body", False)
        chunk = message.get("body", b"")
        if self._size + len(chunk) > self._memory.limits.body_bytes:
            raise self._too_large()
        self._memory.take(len(chunk))
        self._size += len(chunk)
        self._content += chunk

    def _too_large(self) -> TooLargeError:
        limit = self._memory.limits.body_bytes
        return TooLargeError(f"The body is larger than {limit:,} bytes; send fewer items in one request.")
