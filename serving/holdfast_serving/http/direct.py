"""The short way to an endpoint, for addresses that hold no parameter.

FastAPI keeps the document, and answers all other addresses. It costs a request more than a small search does:
it tries one route after the other, and builds exit stacks and dependency graphs that these endpoints have no
use for.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ValidationError
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from holdfast.base import HoldfastError
from holdfast_serving.http.auth import Require
from holdfast_serving.http.border import BorderRoute
from holdfast_serving.http.errors import answer_error, answer_faults


class Endpoint(NamedTuple):
    """What a route has to have, and to be given."""

    route: BorderRoute
    call: Callable[..., Awaitable[Response]]
    keys: tuple[Require, ...]
    request: str | None
    """The name of the argument that is the request; None for no such."""
    body: tuple[str, type[BaseModel]] | None
    """The name of the argument that is the body, and what it has to be."""


class Direct:
    """ASGI app: leads a request to the endpoint that its address and method name as they stand, and any
    other one to `app`. Errors are answered as `app` answers them."""

    def __init__(self, app: FastAPI, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._endpoints = {
            (method, route.path): endpoint
            for route in routes
            if isinstance(route, BorderRoute) and (endpoint := endpoint_of(route)) is not None
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoint(scope)
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        scope["app"], scope["route"] = self._app, endpoint.route
        response = await _answer(endpoint, scope, receive)
        await response(scope, receive, send)

    def _endpoint(self, scope: Scope) -> Endpoint | None:
        return self._endpoints.get((scope["method"], route_path(scope)))


def endpoint_of(route: BorderRoute) -> Endpoint | None:
    """None for a route that needs more of FastAPI than its body and its key."""
    needs = route.dependant
    keys = [each.call for each in needs.dependencies if isinstance(each.call, Require)]
    bodies = needs.body_params
    if "{" in route.path or len(keys) < len(needs.dependencies) or len(bodies) > 1:
        return None
    if needs.query_params or needs.header_params or needs.cookie_params:
        return None
    if not bodies:
        return Endpoint(route, route.endpoint, tuple(keys), needs.request_param_name, None)
    field: Any = bodies[0].field_info
    model = field.annotation
    if not (field.is_required() and isinstance(model, type) and issubclass(model, BaseModel)):
        return None
    return Endpoint(route, route.endpoint, tuple(keys), needs.request_param_name, (bodies[0].name, model))


def route_path(scope: Scope) -> str:
    """The address without the path below which an application is mounted."""
    path = str(scope["path"])
    root = scope.get("root_path", "")
    return path.removeprefix(root) if root else path


async def _answer(endpoint: Endpoint, scope: Scope, receive: Receive) -> Response:
    request = Request(scope, receive)
    try:
        for key in endpoint.keys:
            await key(request)
        request = await endpoint.route.enter(request)
        arguments: dict[str, Any] = {} if endpoint.request is None else {endpoint.request: request}
        if endpoint.body is not None:
            name, model = endpoint.body
            content = await request.json()
            try:
                arguments[name] = _validated(model, content)
            except ValidationError as error:
                faults = [
                    {**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)
                ]
                return answer_faults(faults, content, scope)
        return await endpoint.call(**arguments)
    except HoldfastError as error:
        return answer_error(error, scope)


def _validated(model: type[BaseModel], content: Any) -> BaseModel:
    """Raises ValidationError."""
    if content is None:
        raise ValidationError.from_exception_data(model.__name__, [{"type": "missing", "input": None}])
    return model.model_validate(content)
