"""`/api/v1/faults`: what is made to go wrong, while the simulator runs."""

from typing import Annotated

import msgspec
from starlette.responses import Response

from simulator.changes import FaultAdded, FaultsRemoved
from simulator.control.endpoint import AnyEndpoint, Call, Endpoint, NoBody, NoQuery
from simulator.control.problems import ControlError, Problem
from simulator.faults.engine import FAULTS_MAX, ActiveFault
from simulator.faults.fault_text import fault_line, options_of, plan_fault

OptionValue = str | int | float | bool
DIGITS_MAX = 18  # of a fault's number in a path


class FaultRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`fault`: a name that `pushrig faults` lists. `options`: its own, those of the match, and `stage`, side by side."""

    fault: Annotated[str, msgspec.Meta(max_length=100)]
    options: Annotated[dict[str, OptionValue], msgspec.Meta(max_length=50)] = {}


class FaultAnswer(msgspec.Struct, frozen=True):
    """One fault at work. `id`: what it is called by. `line`: as `pushrig serve --fault` takes it. `played`: how often it had
    an effect."""

    id: int
    fault: str
    options: dict[str, OptionValue]
    line: str
    added_at_ms: int
    played: int


class FaultsAnswer(msgspec.Struct, frozen=True):
    """The faults at work, in the order in which they were added, which is the order in which they are played."""

    faults: list[FaultAnswer]


class FaultsGone(msgspec.Struct, frozen=True):
    """How many are at work no more."""

    removed: int


async def list_faults(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET faults."""
    await call.view.standing()
    return FaultsAnswer([_shown(each) for each in call.rig.faults])


async def add_fault(call: Call[NoQuery, FaultRequest]) -> msgspec.Struct | Response:
    """POST faults."""
    try:
        planned = plan_fault(call.body.fault, call.body.options)
    except ValueError as error:
        raise ControlError(Problem.INVALID_VALUE, str(error)) from None
    async with call.view.changing() as tell:
        added = call.rig.faults.add(planned, call.rig.clock.now_s())
        tell(FaultAdded.of(added))
    return _shown(added)


async def remove_fault(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """DELETE faults/{fault}."""
    text = call.path_values["fault"]
    known = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    async with call.view.changing() as tell:
        if not known or not call.rig.faults.remove(int(text)):
            raise ControlError(
                Problem.UNKNOWN_FAULT, f"no fault {text[:40]!r} is at work; GET /api/v1/faults lists those that are"
            )
        tell(FaultsRemoved([int(text)]))
    return FaultsGone(1)


async def remove_faults(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """DELETE faults."""
    async with call.view.changing() as tell:
        removed = call.rig.faults.clear()
        tell(FaultsRemoved(None))
    return FaultsGone(removed)


def _shown(active: ActiveFault) -> FaultAnswer:
    planned = active.planned
    return FaultAnswer(
        active.number,
        planned.fault.name,
        options_of(planned),
        fault_line(planned),
        int(active.added_s * 1000),
        active.played,
    )


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/api/v1/faults",
        operation="listFaults",
        summary="The faults at work.",
        handler=list_faults,
        query=NoQuery,
        body=NoBody,
        answer=FaultsAnswer,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/faults",
        operation="addFault",
        summary=f"Have a fault at work from now on, beside those there are; {FAULTS_MAX} at most.",
        handler=add_fault,
        query=NoQuery,
        body=FaultRequest,
        answer=FaultAnswer,
        problems=(Problem.INVALID_VALUE, Problem.BOUND_REACHED),
    ),
    Endpoint(
        method="DELETE",
        path="/api/v1/faults",
        operation="removeFaults",
        summary="Have no fault at work any more. Answers that wait because of one still come.",
        handler=remove_faults,
        query=NoQuery,
        body=NoBody,
        answer=FaultsGone,
    ),
    Endpoint(
        method="DELETE",
        path="/api/v1/faults/{fault}",
        operation="removeFault",
        summary="Have one fault at work no more. Answers that wait because of it still come.",
        handler=remove_fault,
        query=NoQuery,
        body=NoBody,
        answer=FaultsGone,
        problems=(Problem.UNKNOWN_FAULT,),
    ),
)
