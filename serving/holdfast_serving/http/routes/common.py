"""What the routes share: the replica behind a request, answers as JSON, the sticky text of a canary."""

import json
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import orjson
from fastapi import Request, Response

from holdfast.base import TooLargeError, check_text
from holdfast_serving.config import Limits
from holdfast_serving.replica import Replica


def replica_of(request: Request) -> Replica:
    return cast(Replica, request.app.state.replica)


def answer(
    content: dict[str, Any],
    status: int = 200,
    version: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Plain JSON, past FastAPI's field-by-field serialisation; vectors may be arrays, float32 (d,)."""
    said = {} if version is None else {"X-Model-Version": version}
    return Response(_json(content), status, said | dict(headers or {}), media_type="application/json")


def _json(content: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        # An attribute may be an integer of more than 64 bits.
        return json.dumps(
            content, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_listed
        ).encode()


def _listed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"no JSON is made of {type(value).__name__}")


def remember_version(request: Request, version: str) -> None:
    """For the metrics' label; only versions that exist get here, so the label stays bounded."""
    request.scope["state"]["version"] = version


def sticky_text(request: Request, user: str | None) -> str | None:
    """What decides a request's side of the canary: its user, else its id if the client sent one."""
    return user or request.headers.get("x-user") or request.headers.get("x-request-id")


def key_name(request: Request) -> str:
    """The name of the key of a request that was let in."""
    return str(request.scope["state"]["key"].name)


def refuse_over(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise TooLargeError(f"{count:,} {what} in one request; at most {limit:,} are taken.")


def check_words(text: str, where: str, limits: Limits) -> None:
    """Raises InvalidTextError, TooLargeError for a text that no model is to be given."""
    if len(text) > limits.text_characters:
        raise TooLargeError(
            f"{where}: {len(text):,} characters; at most {limits.text_characters:,} are taken."
        )
    check_text(text, where)
