"""One shape for every error: `{"error": {"type", "code", "message", "request_id"}}`."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from holdfast.base import ChangedModelError, EndpointError, HoldfastError, NotReadyError, StoreError, shown
from holdfast_serving.http.faults import explain_faults

logger = logging.getLogger(__name__)


class UnauthorizedError(HoldfastError):
    """No key, or one that nobody issued."""

    http_status = 401
    code = "unauthorized"


class ForbiddenError(HoldfastError):
    """A good key whose role does not reach this route."""

    http_status = 403
    code = "forbidden"


class MediaTypeError(HoldfastError):
    """A body in a form that the server does not read: names the one that it does."""

    http_status = 415
    code = "unsupported_media_type"


class TooSlowError(HoldfastError):
    """A request that was not whole in time."""

    http_status = 408
    code = "request_timeout"


_TYPES = {401: "authentication_error", 403: "permission_error", 429: "overloaded_error"}
_CODES = {404: "no_such_route"}


def error_body(status: int, code: str, message: str, request_id: str) -> dict[str, dict[str, str]]:
    """The one shape."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"type": kind, "code": code, "message": message, "request_id": request_id}}


def error_response(status: int, code: str, message: str, request_id: str) -> Response:
    """An error in the one shape; 401, 415, 429 and 503 carry the header that tells what to do next."""
    body = error_body(status, code, message, request_id)
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 415:
        headers |= {"Accept": "application/json", "Accept-Encoding": "identity"}
    if status in (429, 503):
        headers["Retry-After"] = "1"
    return Response(json.dumps(body), status, headers, media_type="application/json")


def holdfast_response(error: HoldfastError, request_id: str) -> Response:
    return error_response(error.http_status, error.code, str(error), request_id)


def install_error_handlers(app: FastAPI) -> None:
    """Gives the app's own errors, pydantic's, Starlette's and defects the same shape."""

    async def user_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HoldfastError)
        return answer_error(error, request.scope)

    async def invalid_body(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer_faults(error.errors(), error.body, request.scope)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = _CODES.get(error.status_code, "http_error")
        message = str(error.detail)
        if error.status_code == 404:
            message = f"There is no route {request.method} {shown(request.url.path)}; /docs lists them."
        return error_response(error.status_code, code, message, request_id_of(request.scope))

    app.add_exception_handler(HoldfastError, user_error)
    app.add_exception_handler(RequestValidationError, invalid_body)
    app.add_exception_handler(HTTPException, http_error)


def answer_error(error: HoldfastError, scope: Scope) -> Response:
    """What a route raised, which is logged where an operator has to know of it."""
    if isinstance(error, ChangedModelError | EndpointError):
        logger.info("endpoint: %s", error)  # what keeps a version from being used is logged once
    elif isinstance(error, StoreError):
        logger.error("store: %s", error)
    elif isinstance(error, NotReadyError):
        logger.info("not ready: %s", error)
    return holdfast_response(error, request_id_of(scope))


def answer_faults(faults: Sequence[Mapping[str, Any]], body: Any, scope: Scope) -> Response:
    """What pydantic found wrong in a body."""
    return error_response(422, "invalid", explain_faults(faults, body), request_id_of(scope))


def request_id_of(scope: Scope) -> str:
    return str(scope.get("state", {}).get("request_id", ""))
