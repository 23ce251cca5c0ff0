"""One request and how its answer is read: the same for the client that waits and the one that awaits."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from holdfast_serving.client.errors import (
    ConnectionLostError,
    NoConnectionError,
    TimedOutError,
    UnexpectedAnswerError,
    error_of,
)
from holdfast_serving.client.inputs import given, to_json

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """What is sent, and what is answered.

    Attributes:
        answer: the model of the answer; `str` for one that is text.
        body: fields, of which those that are left out are not sent; or JSON as it is.
        repeatable: sent twice, it does what it does once.
    """

    method: str
    path: str
    answer: type[T]
    body: Mapping[str, Any] | bytes | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    repeatable: bool = False

    def request(self, url: str, headers: Mapping[str, str], timeout: float | httpx.Timeout) -> dict[str, Any]:
        """The arguments of httpx's `request`."""
        sent = dict(headers)
        content = None
        if self.body is not None:
            content = self.body if isinstance(self.body, bytes) else to_json(given(self.body))
            sent["Content-Type"] = "application/json"
        return {
            "method": self.method,
            "url": url + self.path,
            "params": given(self.query) or None,
            "content": content,
            "headers": sent,
            "timeout": timeout,
        }

    def read(self, response: httpx.Response) -> T:
        """The answer. Raises an ApiError for one that is not good, or not what was asked."""
        if not response.is_success:
            raise error_of(response)
        if self.answer is str:
            return response.text  # type: ignore[return-value]
        try:
            answer: T = _adapter(cast(Any, self.answer)).validate_json(response.content)
            return answer
        except ValidationError as error:
            raise UnexpectedAnswerError(
                f"{self.method} {response.request.url} answered what this client does not know: "
                f"{error.errors()[0]['msg']} ({'.'.join(map(str, error.errors()[0]['loc']))}). "
                "Is it a Holdfast server of this client's release?",
                status=response.status_code,
                request_id=response.headers.get("X-Request-ID", ""),
            ) from error


@cache
def _adapter(answer: Any) -> TypeAdapter[Any]:
    return TypeAdapter(answer)


def path_of(template: str, **names: str) -> str:
    """The path with names in it, which may hold anything."""
    return template.format_map({name: quote(value, safe="") for name, value in names.items()})


@contextmanager
def transport_errors(url: str) -> Iterator[None]:
    """What httpx raises where there was no answer, in this client's words."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NoConnectionError(f"{url} is not reached: {error or type(error).__name__}.") from error
    except httpx.TimeoutException as error:
        raise TimedOutError(f"{url} did not answer in time; `timeout` says how long it may take.") from error
    except httpx.TransportError as error:
        raise ConnectionLostError(
            f"{url} broke off before its answer: {error or type(error).__name__}."
        ) from error
