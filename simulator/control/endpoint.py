"""One operation of the API: path, records that it takes and gives, and the function that serves it.

The table of endpoints makes both the routes and the OpenAPI document, so that they cannot drift apart. Records are
`msgspec.Struct` with `forbid_unknown_fields`: what a client misspells is refused, and named.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive

from simulator.bounds import BoundReachedError
from simulator.control.problems import ControlError, Problem, json_response, problem_response
from simulator.control.view import View
from simulator.rig import Rig

BODY_BYTES_MAX = 64 * 1024
BODY_DRAINED_BYTES_MAX = 1024 * 1024  # read and thrown away, so that the client gets to see the refusal
BODY_TIMEOUT_S = 10.0
QUERY_PARAMETERS_MAX = 20


class NoQuery(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """No query parameters."""


class NoBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """No body, or an empty JSON object."""


@dataclass(slots=True)
class ControlPlane:
    """What one control plane keeps besides the rig. `view`: what it looks at and changes. `trouble`: what keeps the
    provider plane from being ready, and what to do; None: nothing. `closing`: set when it shuts down."""

    view: View
    trouble: Callable[[], str | None]
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    round_changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    reading: set[asyncio.Timeout] = field(default_factory=set)  # of the bodies that are being read

    def close(self) -> None:
        """Have every request that waits, for notifications or for the rest of its body, answered at once."""
        self.closing.set()
        for timeout in self.reading:
            timeout.reschedule(asyncio.get_running_loop().time())


QueryT = TypeVar("QueryT", bound=msgspec.Struct)
BodyT = TypeVar("BodyT", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Call(Generic[QueryT, BodyT]):
    """One request, read and checked. `accept`: the Accept field. `receive`: what the client does next (ASGI)."""

    plane: ControlPlane
    path_values: Mapping[str, str]
    query: QueryT
    body: BodyT
    accept: str
    receive: Receive

    @property
    def rig(self) -> Rig:
        """The simulator's state, as far as all its processes have it alike."""
        return self.plane.view.rig

    @property
    def view(self) -> View:
        """The whole simulator, what its processes have of their own too."""
        return self.plane.view

    async def given_up(self) -> None:
        """Returns when nobody waits for the answer any more: the client has gone, or the control plane closes."""
        tasks = [asyncio.ensure_future(self._disconnected()), asyncio.ensure_future(self.plane.closing.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _disconnected(self) -> None:
        # A body that was not asked for is read and dropped.
        while (await self.receive())["type"] != "http.disconnect":
            pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Generic[QueryT, BodyT]):
    """One row of the API.

    `handler` returns the record to answer with, or a whole response. `answer`: the record of a success, None where it is
    not JSON (`media_type`). `problems`: those that the handler itself can meet.
    """

    method: str
    path: str
    operation: str
    summary: str
    handler: Callable[[Call[QueryT, BodyT]], Awaitable[msgspec.Struct | Response]]
    query: type[QueryT]
    body: type[BodyT]
    answer: type[msgspec.Struct] | None
    media_type: str = "application/json"
    problems: tuple[Problem, ...] = ()

    @property
    def takes_body(self) -> bool:
        """POST and PUT; a body of another method is not looked at."""
        return self.method in ("POST", "PUT")

    async def serve(self, request: Request, plane: ControlPlane) -> Response:
        """Read the request, have it handled, and answer. Problems of the request become answers here."""
        try:
            query = _query(request, self.query)
            body = await _body(request, self.body, plane) if self.takes_body else self.body()
            call = Call(
                plane,
                request.path_params,
                query,
                body,
                request.headers.get("accept", ""),
                request.receive,
            )
            answer = await self.handler(call)
        except ControlError as error:
            return problem_response(error.problem, error.message, error.headers)
        except BoundReachedError as error:
            return problem_response(Problem.BOUND_REACHED, str(error))
        return answer if isinstance(answer, Response) else json_response(answer)


AnyEndpoint = Endpoint[Any, Any]  # a table holds endpoints of all records


def _query(request: Request, record: type[QueryT]) -> QueryT:
    text = request.scope["query_string"].decode("latin-1")
    known = ", ".join(each.encode_name for each in msgspec.structs.fields(record)) or "none"
    try:
        pairs = parse_qsl(
            text,
            keep_blank_values=True,
            strict_parsing=bool(text),
            errors="strict",
            max_num_fields=QUERY_PARAMETERS_MAX,
        )
    except ValueError as error:
        raise ControlError(
            Problem.INVALID_QUERY,
            f"the query cannot be read ({error}); write name=value&name=value, known names: {known}",
        ) from None
    values = dict(pairs)
    if len(values) < len(pairs):
        repeated = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise ControlError(Problem.INVALID_QUERY, f"the query parameter {repeated[:40]!r} is repeated; give it once")
    try:
        return msgspec.convert(values, record, strict=False)
    except msgspec.ValidationError as error:
        raise ControlError(
            Problem.INVALID_QUERY, f"in the query: {error}; known parameters: {_described(record)}"
        ) from None


async def _body(request: Request, record: type[BodyT], plane: ControlPlane) -> BodyT:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    content = await _read(request, plane)
    if media_type != "application/json" and (content or media_type):
        # Also what keeps HTML forms of other sites out, which cannot send this type.
        raise ControlError(
            Problem.UNSUPPORTED_MEDIA_TYPE,
            f"the body is declared as {media_type[:80] or 'nothing'}; send JSON with `Content-Type: application/json`",
        )
    try:
        return msgspec.json.decode(content or b"{}", type=record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if not content:
            message = f"a JSON body is needed ({error}); its fields: {_described(record)}"
        else:
            message = f"in the body: {error}; the fields are: {_described(record)}"
        raise ControlError(Problem.INVALID_BODY, message) from None


async def _read(request: Request, plane: ControlPlane) -> bytes:
    """The whole body, at most `BODY_BYTES_MAX`, within `BODY_TIMEOUT_S`."""
    content = bytearray()
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S) as timeout:
            plane.reading.add(timeout)
            try:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size <= BODY_BYTES_MAX:
                        content += chunk
                    elif size > BODY_DRAINED_BYTES_MAX:
                        break
            finally:
                plane.reading.discard(timeout)
    except TimeoutError:
        raise ControlError(
            Problem.BODY_TIMEOUT, f"the body did not come within {BODY_TIMEOUT_S:.0f} s; send it in one go"
        ) from None
    except ClientDisconnect:
        raise ControlError(Problem.INVALID_BODY, "the connection was closed within the body") from None
    if size > BODY_BYTES_MAX:
        raise ControlError(Problem.BODY_TOO_LARGE, f"the body is larger than {BODY_BYTES_MAX} bytes")
    return bytes(content)


def _described(record: type[msgspec.Struct]) -> str:
    """The fields of a record and what each may hold: `mode` ("freeze" or "real"), `at_ms` (integer)."""
    described = [
        f"`{each.encode_name}` ({_type_described(each.type)}{', required' if each.required else ''})"
        for each in msgspec.inspect.type_info(record).fields  # type: ignore[attr-defined]  # a struct's info has fields
    ]
    return ", ".join(described) or "none"


def _type_described(kind: msgspec.inspect.Type) -> str:
    match kind:
        case msgspec.inspect.UnionType(types):
            return " or ".join(
                _type_described(each) for each in types if not isinstance(each, msgspec.inspect.NoneType)
            )
        case msgspec.inspect.LiteralType(values):
            return " or ".join(f'"{value}"' for value in values)
        case msgspec.inspect.IntType(ge=least, le=most):
            bounds = f" from {least}" if least is not None else ""
            return "integer" + bounds + (f" to {most}" if most is not None else "")
        case msgspec.inspect.FloatType(ge=least, le=most):
            return f"number from {least} to {most}" if least is not None and most is not None else "number"
        case msgspec.inspect.ListType(item_type=item):
            return f"list of {_type_described(item)}"
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.DictType(value_type=value):
            return f"object whose values are {_type_described(value)}"
        case _:
            return "text"
