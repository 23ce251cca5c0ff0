"""Where a request enters: its address, its media type and its text are checked here, for all routes."""

import json
import re
from collections.abc import Callable, Coroutine, Iterator
from email.message import Message
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.convertors import Convertor, register_url_convertor
from starlette.types import Scope

from holdfast.base import HoldfastError, InvalidTextError, check_text, shown
from holdfast_serving.http.errors import MediaTypeError

# A NUL and half a surrogate pair come into JSON by their escapes only: their bytes are no UTF-8, or no JSON.
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


class EverythingConvertor(Convertor[str]):
    """`{name:everything}` is the rest of a path. Starlette's `path` stops at the end of a line."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("everything", EverythingConvertor())


class BorderRoute(APIRoute):
    """A route that gets its request only if all text in it can be stored and compared by any database."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            return await handle(await self.enter(request))

        return checked

    async def enter(self, request: Request) -> Request:
        """The request as the endpoint may have it: with a body that is read and checked, where it takes one.

        Raises what `read` does, and InvalidTextError for its address."""
        _check_address(request.scope)
        return request if self.body_field is None else await self.read(request)

    async def read(self, request: Request) -> Request:
        """The request with its body read. Raises what `JsonRequest.read` does."""
        taken = JsonRequest(request.scope, request.receive)
        await taken.read()
        return taken


class JsonRequest(Request):
    """A request whose body is JSON, read by `read`."""

    _content: Any = None

    async def read(self) -> None:
        """Raises MediaTypeError for a body that is not JSON by its headers, HoldfastError for one that is
        not by its bytes, InvalidTextError."""
        body = await self.body()
        if body:
            _check_media_type(self)
            self._content = parse_json(body)

    async def json(self) -> Any:
        return self._content


def parse_json(body: bytes) -> Any:
    """What a body says. Raises HoldfastError if it is not JSON, InvalidTextError."""
    try:
        content = from_json(body, allow_inf_nan=True)
    except ValueError:
        content = _parse_again(body)
    if _SUSPECT.search(body):
        for path, text in _texts(content):
            check_text(text, path)
    return content


def _parse_again(body: bytes) -> Any:
    """By the parser that is slower, bears more (a byte order mark, deeper nesting) and says what is wrong."""
    try:
        return json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise HoldfastError(f"The body is not JSON in UTF-8: byte {error.start:,} is none of it.") from None
    except json.JSONDecodeError as error:
        raise HoldfastError(
            f"The body is not JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise HoldfastError("The body is nested too deeply.") from None
    except ValueError:
        # The only other one: Python reads no integer of more than 4,300 digits.
        raise HoldfastError("The body holds an integer with thousands of digits.") from None


def _texts(content: Any) -> Iterator[tuple[str, str]]:
    """Every key and every string, with where it is."""
    waiting: list[tuple[str, Any]] = [("", content)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            yield path or "the body", value
        elif isinstance(value, dict):
            for key, item in value.items():
                yield f"{path or 'the body'}: the key", key
                waiting.append((f"{path}.{key}" if path else key, item))
        elif isinstance(value, list):
            waiting.extend((f"{path}[{index}]", item) for index, item in enumerate(value))


def _check_address(scope: Scope) -> None:
    for part, raw in (("path", scope.get("raw_path") or b""), ("query", scope.get("query_string", b""))):
        if b"%" not in raw:
            continue
        try:
            text = unquote_to_bytes(raw).decode()
        except UnicodeDecodeError:
            raise InvalidTextError(
                f"The {part} {shown(raw.decode('latin-1'))} is not UTF-8 once it is percent-decoded."
            ) from None
        check_text(text, f"The {part}")


def check_uncompressed(request: Request) -> None:
    """Raises MediaTypeError."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise MediaTypeError(f"Content-Encoding {shown(encoding)} is not taken: send the body uncompressed.")


def _check_media_type(request: Request) -> None:
    check_uncompressed(request)
    given = request.headers.get("content-type", "")
    if given == "application/json":
        return
    message = Message()
    message["content-type"] = given
    main, _, sub = message.get_content_type().partition("/")
    charset = str(message.get_param("charset", "utf-8")).lower()
    is_json = bool(given) and main == "application" and (sub == "json" or sub.endswith("+json"))
    if not is_json or charset not in ("utf-8", "utf8", "us-ascii"):
        named = f"Content-Type {shown(given)} is not taken" if given else "The body has no Content-Type"
        raise MediaTypeError(f"{named}: send JSON in UTF-8 with Content-Type: application/json.")
