"""Images that come as they are: as the whole body, or as parts of a form."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from holdfast.base import HoldfastError, check_text, shown
from holdfast_serving.http.bodies.body import Body
from holdfast_serving.http.border import BorderRoute, JsonRequest, check_uncompressed, parse_json
from holdfast_serving.http.errors import MediaTypeError

FORM = "multipart/form-data"
RAW = "application/octet-stream"
FILE_NAMES = ("file", "image")
PARTS = 1000
"""Of one form at most; the limits of a request are lower."""


class UploadRoute(BorderRoute):
    """A route whose body may also be an image with its options in the address, or a form with files in it.

    Either becomes what the body would be in JSON, with the bytes of the files in the field `image_field`.
    """

    async def read(self, request: Request) -> Request:
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media.endswith("json"):
            return await super().read(request)
        check_uncompressed(request)
        if media == FORM:
            given = await _form(request)
        elif media.startswith("image/") or media == RAW:
            given = [*request.query_params.multi_items(), (FILE_NAMES[0], await request.body())]
        else:
            return await self._refused(request, media)
        return Uploaded(request, as_json(given, self._body))

    async def _refused(self, request: Request, media: str) -> Request:
        """Raises MediaTypeError, unless there is no body at all, which the route itself refuses."""
        empty = JsonRequest(request.scope, request.receive)
        if not await empty.body():
            return empty
        named = f"Content-Type {shown(media)} is not taken" if media else "The body has no Content-Type"
        raise MediaTypeError(
            f"{named}: send application/json in UTF-8, {FORM} with a part called "
            f"{' or '.join(FILE_NAMES)}, or the image itself with its own type, such as image/jpeg."
        )

    @property
    def _body(self) -> type[Body]:
        assert self.body_field is not None
        return cast(type[Body], self.body_field.field_info.annotation)


class Uploaded(JsonRequest):
    """A request whose body has become JSON."""

    def __init__(self, request: Request, content: Mapping[str, Any]) -> None:
        headers = [pair for pair in request.scope["headers"] if pair[0] != b"content-type"]
        headers.append((b"content-type", b"application/json"))
        super().__init__({**request.scope, "headers": headers}, request.receive)
        self._body = b"{}"  # something, so that `json` is asked
        self._content = content


def as_json(given: Sequence[tuple[str, str | bytes]], body: type[Body]) -> dict[str, Any]:
    """What a body would hold in JSON. Raises HoldfastError, InvalidTextError.

    Args:
        given: names and values; the bytes of files are what the body's `image_field` holds.
    """
    files = [value for _, value in given if isinstance(value, bytes)]
    kinds = _kinds_by_field(body)
    field = str(body.image_field)
    content: dict[str, Any] = {}
    texts: dict[str, list[str]] = {}
    for name, value in given:
        if isinstance(value, str):
            texts.setdefault(name, []).append(check_text(value, shown(name)))
    for name, values in texts.items():
        content[name] = _value(name, values, kinds.get(name, set()))
    if files:
        several = "array" in kinds[field]
        if field in content:
            raise HoldfastError(f"{field} is given twice: as a file and as a field.")
        if len(files) > 1 and not several:
            raise HoldfastError(f"{len(files)} files are in the form; this takes one.")
        content[field] = files if several and len(files) > 1 else files[0]
    return content


def _value(name: str, values: list[str], kinds: set[str]) -> Any:
    """Numbers and the like are read by the body itself, which takes them as text."""
    if len(values) > 1 or (kinds - {"null"} == {"array"} and values[0][:1] != "["):
        if "array" not in kinds:
            raise HoldfastError(f"{shown(name)} is given {len(values)} times; it takes one value.")
        return values
    text = values[0]
    if ("object" in kinds and text[:1] == "{") or ("array" in kinds and text[:1] == "["):
        try:
            return parse_json(text.encode())
        except HoldfastError as error:
            raise HoldfastError(f"{shown(name)}: {error}") from None
    return text


@cache
def _kinds_by_field(body: type[Body]) -> dict[str, set[str]]:
    return {name: _kinds(schema) for name, schema in body.model_json_schema()["properties"].items()}


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    """The types of JSON that may stand there."""
    if "anyOf" in schema:
        return set[str]().union(*(_kinds(each) for each in schema["anyOf"]))
    return {"object" if "$ref" in schema else schema.get("type", "string")}


async def _form(request: Request) -> list[tuple[str, str | bytes]]:
    parser = _InMemory(
        request.headers, request.stream(), max_files=PARTS, max_fields=PARTS, max_part_size=2**40
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HoldfastError(f"The body is not the form that its headers announce: {error.message}") from None
    return [(name, await _content(name, value)) for name, value in form.multi_items()]


async def _content(name: str, value: str | UploadFile) -> str | bytes:
    if isinstance(value, str):
        return value
    if name not in FILE_NAMES:
        raise HoldfastError(f"The file {shown(name)} has no place here: call it {' or '.join(FILE_NAMES)}.")
    return await value.read()


class _InMemory(MultiPartParser):
    """The body is in memory already, within its bounds: no part of it goes to a disk."""

    spool_max_size = 2**40
