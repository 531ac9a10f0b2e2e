"""`/api/v1/clock` and `/api/v1/reset`: time in the simulator, and beginning anew."""

from typing import Annotated, Literal

import msgspec
from starlette.responses import Response

from simulator.changes import RESETS, ClockSet, Part, Reset
from simulator.clock import INSTANT_MS_MAX, Clock
from simulator.control.endpoint import AnyEndpoint, Call, Endpoint, NoBody, NoQuery
from simulator.control.problems import ControlError, Problem
from simulator.control.slices import free_in_slices


class ClockAnswer(msgspec.Struct, frozen=True):
    """`mode`: real, frozen or shifted. `now_ms`: since the Unix epoch. `offset_ms`: that less the real time."""

    mode: Literal["real", "frozen", "shifted"]
    now_ms: int
    offset_ms: int


class ClockChange(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One of three: freeze (at `at_ms` since the Unix epoch, default now), advance by `advance_ms`, or back to real time.

    A frozen clock that is advanced stays frozen.
    """

    mode: Literal["freeze", "real"] | None = None
    at_ms: Annotated[int, msgspec.Meta(ge=0, le=INSTANT_MS_MAX)] | None = None
    advance_ms: Annotated[int, msgspec.Meta(ge=0, le=INSTANT_MS_MAX)] | None = None


class ResetRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`parts`: what to begin anew; default everything.

    `subscriptions`: those to FCM's topics, imported registrations, and messages to topics not yet delivered. `journal`:
    recent notifications. `ledger`: counts, rounds and populations. `overlay`: states set by hand. `clock`: back to real time.
    `counters`: all but the open connections. `provider-tokens`: those seen so far, their age and order, and FCM's access
    tokens. `rates`: what was used of them. `service`: both providers in order, FCM's project as at the start.
    `faults`: none is at work any more.
    """

    parts: list[Part] | None = None


class ResetAnswer(msgspec.Struct, frozen=True):
    """The parts that began anew."""

    parts: list[Part]


async def show_clock(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET clock."""
    return _shown(call.rig.clock)


async def change_clock(call: Call[NoQuery, ClockChange]) -> msgspec.Struct | Response:
    """PUT clock."""
    clock, change = call.rig.clock, call.body
    if (change.mode is None) == (change.advance_ms is None):
        raise ControlError(
            Problem.INVALID_BODY,
            'one of `mode` and `advance_ms` is needed: {"mode":"freeze"}, {"mode":"freeze","at_ms":…}, '
            '{"advance_ms":…} or {"mode":"real"}',
        )
    if change.at_ms is not None and change.mode != "freeze":
        raise ControlError(Problem.INVALID_BODY, '`at_ms` goes with {"mode":"freeze"} only; leave it out')
    async with call.view.changing() as tell:
        try:
            if change.advance_ms is not None:
                clock.advance(change.advance_ms)
            elif change.mode == "freeze":
                clock.freeze(change.at_ms)
            else:
                clock.resume()
        except ValueError as error:
            raise ControlError(Problem.INVALID_VALUE, str(error)) from None
        tell(ClockSet.of(call.rig))
    return _shown(clock)


async def reset(call: Call[NoQuery, ResetRequest]) -> msgspec.Struct | Response:
    """POST reset."""
    wanted = list(RESETS) if call.body.parts is None else call.body.parts
    parts = [part for part in RESETS if part in wanted]
    change = Reset(parts)
    async with call.view.changing() as tell:
        freeing = change.apply(call.rig)
        tell(change)
    await free_in_slices(freeing)
    return ResetAnswer(parts)


def _shown(clock: Clock) -> ClockAnswer:
    return ClockAnswer(clock.mode.value, clock.now_ms(), round(clock.offset_s * 1000))


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/api/v1/clock",
        operation="showClock",
        summary="The simulator's time.",
        handler=show_clock,
        query=NoQuery,
        body=NoBody,
        answer=ClockAnswer,
    ),
    Endpoint(
        method="PUT",
        path="/api/v1/clock",
        operation="changeClock",
        summary="Freeze the simulator's time, advance it, or let it be real again.",
        handler=change_clock,
        query=NoQuery,
        body=ClockChange,
        answer=ClockAnswer,
        problems=(Problem.INVALID_VALUE,),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/reset",
        operation="reset",
        summary="Begin anew: journal, ledger, overlay, clock, counters, FCM's subscriptions and so on, or some of them.",
        handler=reset,
        query=NoQuery,
        body=ResetRequest,
        answer=ResetAnswer,
    ),
)
