"""The control plane as one ASGI application: the table of endpoints, made into routes behind the security gate."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.control import (
    clock_control,
    device_tokens,
    faults,
    frames,
    notifications,
    observing,
    populations,
    provider_control,
    scenario_control,
    status,
)
from simulator.control.endpoint import AnyEndpoint, Call, ControlPlane, Endpoint, NoBody, NoQuery
from simulator.control.problems import Problem, json_response, problem_response
from simulator.control.security import ControlAccess, SecurityGate
from simulator.control.view import OneProcess, View
from simulator.rig import Rig

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def _no_trouble() -> str | None:
    return None


def create_app(
    rig: Rig, access: ControlAccess, trouble: Callable[[], str | None] = _no_trouble, view: View | None = None
) -> Starlette:
    """The application. `trouble`: what keeps it from being ready, for `/readyz`. `view`: where `rig` is not all there is.

    Its `state.plane` is the `ControlPlane`; whoever serves it calls its `close` when it shuts down.
    """
    plane = ControlPlane(view or OneProcess(rig), trouble)
    endpoints = all_endpoints(bearer=access.bearer_token is not None)
    app = Starlette(
        routes=[_route(path, endpoints, plane) for path in dict.fromkeys(each.path for each in endpoints)],
        middleware=[Middleware(SecurityGate, access=access)],
        exception_handlers={HTTPException: _no_route, Exception: _defect},
    )
    app.router.redirect_slashes = False
    app.state.plane = plane
    return app


def all_endpoints(*, bearer: bool) -> tuple[AnyEndpoint, ...]:
    """Every endpoint, the document among them. `bearer`: a bearer token is asked for."""
    rendered: list[bytes] = []

    def render() -> bytes:
        from simulator.control.openapi import document

        return json.dumps(document(endpoints, bearer=bearer), indent=1).encode()

    async def show_document(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
        if not rendered:  # 10 ms, once, so not on the event loop
            rendered.append(await asyncio.to_thread(render))
        return json_response(msgspec.Raw(rendered[0]))

    endpoints: tuple[AnyEndpoint, ...] = (
        *status.ENDPOINTS,
        *populations.ENDPOINTS,
        *notifications.ENDPOINTS,
        *device_tokens.ENDPOINTS,
        *provider_control.ENDPOINTS,
        *clock_control.ENDPOINTS,
        *faults.ENDPOINTS,
        *observing.ENDPOINTS,
        *frames.ENDPOINTS,
        *scenario_control.ENDPOINTS,
        Endpoint(
            method="GET",
            path="/api/v1/openapi.json",
            operation="document",
            summary="This document (OpenAPI 3.1).",
            handler=show_document,
            query=NoQuery,
            body=NoBody,
            answer=None,
        ),
    )
    return endpoints


def _route(path: str, endpoints: tuple[AnyEndpoint, ...], plane: ControlPlane) -> Route:
    by_method = {each.method: each for each in endpoints if each.path == path}
    if "GET" in by_method:
        by_method["HEAD"] = by_method["GET"]

    async def serve(request: Request) -> Response:
        return await by_method[request.method].serve(request, plane)

    return Route(path, serve, methods=list(by_method))


async def _no_route(request: Request, error: Exception) -> Response:
    """404 and 405 of the router."""
    assert isinstance(error, HTTPException)
    shown = _path(request)
    if error.status_code == Problem.METHOD_NOT_ALLOWED.status:
        allowed = (error.headers or {}).get("Allow", "")
        return problem_response(
            Problem.METHOD_NOT_ALLOWED, f"{shown!r} does not take {request.method}; it takes {allowed}", error.headers
        )
    return problem_response(
        Problem.NOT_FOUND, f"there is no {shown!r}; /api/v1/openapi.json lists all paths", error.headers
    )


async def _defect(request: Request, error: Exception) -> Response:
    return problem_response(
        Problem.INTERNAL_ERROR,
        f"a defect of the simulator while serving {request.method} {_path(request)} ({type(error).__name__}); its log "
        "has the traceback",
    )


def _path(request: Request) -> str:
    """For a message. Not by `request.url`, which reads the query too, and fails when that is not UTF-8."""
    path: str = request.scope["path"]
    return path[:80]
