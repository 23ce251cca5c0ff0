"""The web page at /, the description of the API at /docs and /openapi.json: from this package alone."""

from hashlib import sha256
from html import escape
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from holdfast.base import NotFoundError
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.prefix import prefix_of
from holdfast_serving.http.routes.common import answer

router = APIRouter(include_in_schema=False, route_class=BorderRoute)

_FOLDER = files("holdfast_serving.http").joinpath("page")
_FILES = frozenset(file.name for file in _FOLDER.iterdir())
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Vary": "X-Forwarded-Prefix",
}


@router.get("/")
async def index(request: Request) -> Response:
    return _file(request, "index.html", prefix_of(request))


@router.get("/docs")
async def docs(request: Request) -> Response:
    return _file(request, "docs.html", prefix_of(request))


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    prefix = prefix_of(request)
    document = request.app.openapi()
    return answer({**document, "servers": [{"url": prefix}]} if prefix else document)


@router.get("/page/{name}")
async def asset(request: Request, name: str) -> Response:
    return _file(request, name)


def _file(request: Request, name: str, prefix: str = "") -> Response:
    """A file of the page, or 304 to whoever has it as it is.

    All addresses in it are relative; where the prefix is known they start from there, since a proxy may show
    the page without a slash at its end.
    """
    if name not in _FILES:
        raise NotFoundError(f"the page has no file {name!r}")
    content = _FOLDER.joinpath(name).read_bytes()
    if prefix:
        base = f'<head>\n<base href="{escape(prefix)}/">'
        content = content.replace(b"<head>", base.encode(), 1)
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {**_HEADERS, "ETag": tag}
    if tag in _held(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_TYPES[name.rpartition(".")[2]], headers=headers)


def _held(said: str) -> set[str]:
    """The tags of `If-None-Match`; a proxy that compresses marks them as weak."""
    return {each.strip().removeprefix("W/") for each in said.split(",")}
