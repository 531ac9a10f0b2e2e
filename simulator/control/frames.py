"""`/api/v1/frames` and `/api/v1/frame-log`: the frames of the connections, in words."""

from collections.abc import Generator, Sequence
from typing import Annotated

import msgspec
from starlette.responses import Response

from simulator.changes import FrameLogSet
from simulator.control.endpoint import AnyEndpoint, Call, Endpoint, NoBody, NoQuery
from simulator.control.observing import JSON_LINES
from simulator.control.problems import SECURITY_HEADERS
from simulator.control.slices import in_slices
from simulator.control.view import View
from simulator.frame_log import FrameLine

PAGE_DEFAULT = 1_000
PAGE_MAX = 10_000
_ENCODED_A_STEP = 200

Number = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class FramesQuery(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`after`: the number of the last line that is known already. `connection`, `stream`: lines of these alone; what concerns a
    whole connection belongs to each of its streams. `limit`: how many at most."""

    after: Number = 0
    connection: Number | None = None
    stream: Number | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT


class FrameShown(msgspec.Struct, frozen=True):
    """One line. `at_s`: since the log began. `connection`: as in the journal; 0 before a client is known. `direction`: `>` from
    the client, `<` to it, `-` about the connection itself."""

    number: int
    at_s: float
    connection: int
    direction: str
    stream: int
    text: str


class FrameLogChange(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`on`: true begins a log of the connections that are opened from then on; of one that is on already it forgets the lines
    so far, and its file goes on. False ends it; its lines can still be read."""

    on: bool


class FrameLogAnswer(msgspec.Struct, frozen=True):
    """`lines`: written since the log began, of which the newest are kept. `trouble`: why its file does not have them all."""

    on: bool
    lines: int
    trouble: str | None


async def show_frames(call: Call[FramesQuery, NoBody]) -> msgspec.Struct | Response:
    """GET frames: one JSON object a line."""
    query = call.query
    found = await call.view.frames(query.after, query.connection, query.stream, query.limit)
    return Response(b"".join(await in_slices(_steps(found))), 200, {**SECURITY_HEADERS}, media_type=JSON_LINES)


async def show_frame_log(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET frame-log."""
    return await _shown(call.view)


async def change_frame_log(call: Call[NoQuery, FrameLogChange]) -> msgspec.Struct | Response:
    """PUT frame-log."""
    async with call.view.changing() as tell:
        change = FrameLogSet(call.rig.frame_log.monotonic_s() if call.body.on else None)
        change.apply(call.rig)
        tell(change)
    return await _shown(call.view)


def _steps(found: Sequence[FrameLine]) -> Generator[None, None, list[bytes]]:
    encode, lines = msgspec.json.Encoder().encode, []
    for count, each in enumerate(found, 1):
        lines.append(encode(FrameShown(*each)) + b"\n")
        if count % _ENCODED_A_STEP == 0:
            yield
    return lines


async def _shown(view: View) -> FrameLogAnswer:
    standing, log = await view.standing(), view.rig.frame_log
    return FrameLogAnswer(log.on, standing.frame_lines, standing.frame_trouble)


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/api/v1/frames",
        operation="showFrames",
        summary="The newest frames of the frame log in words, one JSON object a line, oldest first.",
        handler=show_frames,
        query=FramesQuery,
        body=NoBody,
        answer=None,
        media_type=JSON_LINES,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/frame-log",
        operation="showFrameLog",
        summary="Whether frames are written down, and how many were.",
        handler=show_frame_log,
        query=NoQuery,
        body=NoBody,
        answer=FrameLogAnswer,
    ),
    Endpoint(
        method="PUT",
        path="/api/v1/frame-log",
        operation="changeFrameLog",
        summary="Begin to write down frames, or stop.",
        handler=change_frame_log,
        query=NoQuery,
        body=FrameLogChange,
        answer=FrameLogAnswer,
    ),
)
