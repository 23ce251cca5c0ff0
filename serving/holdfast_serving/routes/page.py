"""The web page at /, from files in the package."""

from importlib.resources import files

from fastapi import APIRouter, Response

from holdfast.errors import NotFoundError

router = APIRouter(include_in_schema=False)

_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@router.get("/")
async def index() -> Response:
    return _file("index.html")


@router.get("/page/{name}")
async def asset(name: str) -> Response:
    return _file(name)


def _file(name: str) -> Response:
    if name not in _TYPES:
        raise NotFoundError(f"the page has no file {name!r}")
    content = files("holdfast_serving").joinpath("page", name).read_bytes()
    return Response(content, media_type=_TYPES[name], headers=_HEADERS)
