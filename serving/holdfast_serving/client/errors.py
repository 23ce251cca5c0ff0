"""What a request can end with. Each message is the server's own sentence, where it answered."""

import math
import time
from email.utils import parsedate_to_datetime
from typing import ClassVar

import httpx

from holdfast.base import HoldfastError


class ApiError(HoldfastError):
    """A request without a good answer.

    Attributes:
        status: of HTTP; None where there was no answer.
        code: the server's word for what was wrong, such as `incompatible_versions`.
        request_id: what the server's log calls the request.
        retry_after: seconds after which the server asked to be asked again.
    """

    done_or_not: ClassVar[bool] = False
    """Whether the server may have done what it was asked all the same."""
    passes: ClassVar[bool] = False
    """Whether the same request may be answered later."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.code = message, status, code
        self.request_id, self.retry_after = request_id, retry_after


class NoConnectionError(ApiError):
    """The server was not reached, so nothing was asked."""

    passes = True


class ConnectionLostError(ApiError):
    """The connection broke before the answer."""

    passes = done_or_not = True


class TimedOutError(ApiError):
    """No answer in time."""

    passes = done_or_not = True


class InvalidRequestError(ApiError):
    """Something in the request is wrong: says what, and what is allowed."""


class UnauthorizedError(ApiError):
    """No key, or one that nobody issued."""


class ForbiddenError(ApiError):
    """A good key whose role does not reach this."""


class NotFoundError(ApiError):
    """There is no such version, entry, backfill or route."""


class ConflictError(ApiError):
    """It contradicts the state of the store: versions that may not meet, or an epoch that is past."""


class TooLargeError(ApiError):
    """The body, or the number of things in it, is over the server's limit."""


class OverloadedError(ApiError):
    """The server works on as much as it takes on; nothing was begun."""

    passes = True


class UnavailableError(ApiError):
    """The server is not ready, or cannot reach its store or the model behind a version."""

    passes = done_or_not = True


class ServerError(ApiError):
    """A defect of the server; its log has the details under `request_id`."""

    done_or_not = True


class UnexpectedAnswerError(ApiError):
    """The answer is of another shape than this client knows: another server, or much older or newer."""

    done_or_not = True


_BY_STATUS: dict[int, type[ApiError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    408: TimedOutError,
    409: ConflictError,
    413: TooLargeError,
    429: OverloadedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def error_of(response: httpx.Response) -> ApiError:
    """What an answer that is not good says: by the server, or by a proxy before it."""
    status = response.status_code
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else InvalidRequestError)
    said = _said(response)
    message = said.get("message") or f"{response.request.url} answered {status} {response.reason_phrase}."
    return kind(
        message,
        status=status,
        code=said.get("code", ""),
        request_id=said.get("request_id") or response.headers.get("X-Request-ID", ""),
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def _said(response: httpx.Response) -> dict[str, str]:
    try:
        content = response.json()
    except ValueError:
        return {}
    if not isinstance(content, dict):
        return {}
    if isinstance(content.get("error"), dict):
        return {name: str(value) for name, value in content["error"].items()}
    return {"message": str(content["reason"])} if content.get("reason") else {}  # as /readyz says it


def _seconds(header: str | None) -> float | None:
    """Of a Retry-After: seconds, or a date."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
