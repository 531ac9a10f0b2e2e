"""`/api/v1/observations`: what the rig saw and did, for whoever grades a sender."""

from typing import Annotated

import msgspec
from starlette.responses import Response

from simulator.changes import ObservingSet
from simulator.control.endpoint import AnyEndpoint, Call, Endpoint, NoBody, NoQuery
from simulator.control.problems import SECURITY_HEADERS
from simulator.control.view import View

PAGE_DEFAULT = 1_000
PAGE_MAX = 10_000
JSON_LINES = "application/x-ndjson"


class ObservationsQuery(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`after`: the number of the last record that is known already; they count from 1. `limit`: how many at most."""

    after: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT


class ObservingChange(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`on`: true begins anew, with nothing kept of before; connections that are open already are not followed."""

    on: bool


class ObservingAnswer(msgspec.Struct, frozen=True):
    """`kept`: records that can be read. `missed`: those that found no room. `now_s`: seconds since observing began."""

    on: bool
    kept: int
    missed: int
    now_s: float


async def show_observations(call: Call[ObservationsQuery, NoBody]) -> msgspec.Struct | Response:
    """GET observations: one JSON object a line."""
    lines = await call.view.observations(call.query.after, call.query.limit)
    return Response(b"".join(lines), 200, {**SECURITY_HEADERS}, media_type=JSON_LINES)


async def show_observing(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET observing."""
    return await _shown(call.view)


async def change_observing(call: Call[NoQuery, ObservingChange]) -> msgspec.Struct | Response:
    """PUT observing."""
    async with call.view.changing() as tell:
        change = ObservingSet(call.rig.observations.monotonic_s() if call.body.on else None)
        change.apply(call.rig)
        tell(change)
    return await _shown(call.view)


async def _shown(view: View) -> ObservingAnswer:
    standing, observations = await view.standing(), view.rig.observations
    return ObservingAnswer(
        observations.on, standing.observations_kept, standing.observations_missed, observations.now_s()
    )


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/api/v1/observations",
        operation="showObservations",
        summary="What was seen and done on connections, one JSON object a line, oldest first.",
        handler=show_observations,
        query=ObservationsQuery,
        body=NoBody,
        answer=None,
        media_type=JSON_LINES,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/observing",
        operation="showObserving",
        summary="Whether observations are kept, and how many there are.",
        handler=show_observing,
        query=NoQuery,
        body=NoBody,
        answer=ObservingAnswer,
    ),
    Endpoint(
        method="PUT",
        path="/api/v1/observing",
        operation="changeObserving",
        summary="Begin to keep observations, or stop.",
        handler=change_observing,
        query=NoQuery,
        body=ObservingChange,
        answer=ObservingAnswer,
    ),
)
