"""The OpenAPI document: what FastAPI knows of the routes, and every status that they answer."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from holdfast_serving.http.answers import ErrorAnswer
from holdfast_serving.http.bodies.body import Body
from holdfast_serving.http.bodies.forms import ARROW, NPY
from holdfast_serving.http.bodies.uploads import FORM

_MEANING = {
    400: "Not HTTP: a malformed request line, header or length.",
    401: "No key, or an unknown one.",
    403: "The key's role does not reach this route.",
    404: "There is no such version, entry, backfill or route.",
    408: "The request did not arrive in time.",
    409: "It contradicts the state of the store: versions that may not meet, an epoch that is past.",
    413: "The body, or the number of things in it, is over its limit.",
    415: "The body is not JSON by its headers, or it is compressed.",
    422: "Something in the request is wrong: names what, and what is allowed.",
    429: "More requests in progress than a replica takes on; with Retry-After.",
    500: "A defect of the server; its log has the details under the request's id.",
    503: "Not ready, or the store cannot be reached; with Retry-After.",
}
_ALWAYS = (400, 408, 500, 503)
_WITH_KEY = (401, 413, 422, 429)
_WITH_BODY = (413, 415, 422)
_REPEATABLE = {
    "create_embeddings",
    "embed_as_cohere",
    "search",
    "put_entries",
    "put_entry",
    "look_up_entries",
    "delete_entries",
    "list_entries",
    "count_entries",
}
"""Beside what is only read: requests that, sent twice, do what they do once."""


def fails(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=fails(404)` on a route: errors of its own, beside those that any route of its kind has."""
    return {status: {"description": _MEANING[status], "model": ErrorAnswer} for status in statuses}


def takes_uploads(body: type[Body]) -> dict[str, Any]:
    """`openapi_extra=takes_uploads(...)` on a route whose body may also be an image, or a form with files."""
    file = {"type": "string", "format": "binary", "description": "An image."}
    files = {"type": "array", "items": file} if body.image_field == "input" else file
    options = {
        name: {key: schema[key] for key in ("type", "description") if key in schema}
        for name, schema in body.model_json_schema()["properties"].items()
        if name != body.image_field
    }
    form = {"type": "object", "properties": {"file": files, **options}, "required": ["file"]}
    content = {FORM: {"schema": form}, "image/*": {"schema": file}}
    return {"requestBody": {"content": content}}


def vectors_in_forms() -> dict[int | str, dict[str, Any]]:
    """`responses=... | vectors_in_forms()` on a route that answers vectors in what `Accept` names."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"content": {ARROW: binary, NPY: binary}}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of this app's routes."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    # FastAPI names the shape only where a route names it; its own shape of a 422 is none of ours.
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path in document["paths"].values():
        for method, operation in path.items():
            _complete(operation)
            # Clients may send it again where they cannot know whether it was done.
            operation["x-repeatable"] = method == "get" or operation["operationId"] in _REPEATABLE
    return document


def _complete(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    statuses = {*_ALWAYS, *map(int, responses)}
    if "security" in operation:
        statuses.update(_WITH_KEY)
    if "requestBody" in operation:
        statuses.update(_WITH_BODY)
    for status in statuses:
        if status >= 400 and str(status) not in responses:
            responses[str(status)] = {
                "description": _MEANING[status],
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}},
            }
    operation["responses"] = dict(sorted(responses.items()))
    for name, response in operation["responses"].items():
        headers = {"X-Request-ID": "What the log calls this request."}
        if name in ("429", "503"):
            headers["Retry-After"] = "Seconds."
        response.setdefault("headers", {}).update(
            {header: {"description": text, "schema": {"type": "string"}} for header, text in headers.items()}
        )
