"""`/api/v1/populations` and `/api/v1/ledger`: what was meant to be reached, and what was."""

from contextlib import suppress
from typing import Annotated

import msgspec
from starlette.responses import Response

from simulator.changes import RoundStarted
from simulator.control.endpoint import AnyEndpoint, Call, Endpoint, NoBody, NoQuery
from simulator.control.problems import SECURITY_HEADERS, ControlError, Problem
from simulator.control.slices import in_slices
from simulator.ledger import (
    INDEX_RANGE,
    SEED_MAX,
    DeclaredPopulation,
    PopulationView,
    UnknownRoundError,
)

Seed = Annotated[int, msgspec.Meta(ge=0)]  # up to 2**64 - 1, which JSON Schema constraints of msgspec cannot say
Index = Annotated[int, msgspec.Meta(ge=0, le=INDEX_RANGE)]
MARKS_MAX = 1 << 20
"""In one answer."""
MARKS = "application/octet-stream"


class LedgerQuery(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`round`: default the running one. `seed`: of one population; default all."""

    round: Annotated[int, msgspec.Meta(ge=1, le=2**53)] | None = None
    seed: Seed | None = None


class MarksQuery(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`count` devices of a population, from index `start` on."""

    seed: Seed
    start: Index
    count: Annotated[int, msgspec.Meta(ge=1, le=MARKS_MAX)]


class LedgerAnswer(msgspec.Struct, frozen=True):
    """All populations in one round; of the running round, page by page and not of one instant.

    `untracked`: answers that found no page free, in none of the figures. `rounds`: those that can be asked for.
    """

    round: int
    running: bool
    rounds: list[int]
    untracked: int
    populations: list[PopulationView]


class Declaration(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The devices that a campaign means to reach: `count` indices of a seed, from `start` on."""

    seed: Seed
    count: Index
    start: Index = 0


class PopulationsAnswer(msgspec.Struct, frozen=True):
    """The declared populations, by seed."""

    populations: list[DeclaredPopulation]


class DeclaredAnswer(msgspec.Struct, frozen=True):
    """The population as declared. `replaced`: the declaration of the same seed that it takes the place of."""

    population: DeclaredPopulation
    replaced: DeclaredPopulation | None


class RoundAnswer(msgspec.Struct, frozen=True):
    """`round`: the number of the round that has begun. `finished`: that of the one before, which can still be viewed."""

    round: int
    finished: int


async def view_ledger(call: Call[LedgerQuery, NoBody]) -> msgspec.Struct | Response:
    """GET ledger."""
    query = call.query
    if query.seed is not None:
        _require_seed(query.seed, Problem.INVALID_QUERY)
    try:
        view = await in_slices(call.rig.ledger.view_steps(query.round, query.seed))
    except UnknownRoundError as error:
        raise ControlError(Problem.UNKNOWN_ROUND, f"{error}; ask for one of these, or leave `round` out") from None
    return LedgerAnswer(view.round, view.running, view.rounds, view.untracked, view.populations)


async def view_marks(call: Call[MarksQuery, NoBody]) -> msgspec.Struct | Response:
    """GET ledger/marks."""
    query = call.query
    _require_seed(query.seed, Problem.INVALID_QUERY)
    marks = await in_slices(call.rig.ledger.marks_steps(query.seed, query.start, query.count))
    return Response(marks, 200, {**SECURITY_HEADERS}, media_type=MARKS)


async def list_populations(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET populations."""
    return PopulationsAnswer(call.rig.ledger.populations())


async def declare_population(call: Call[NoQuery, Declaration]) -> msgspec.Struct | Response:
    """POST populations."""
    ledger, body = call.rig.ledger, call.body
    _require_seed(body.seed, Problem.INVALID_BODY)
    replaced = next((each for each in ledger.populations() if each.seed == body.seed), None)
    try:
        return DeclaredAnswer(ledger.declare(body.seed, body.count, body.start), replaced)
    except ValueError as error:
        raise ControlError(Problem.INVALID_VALUE, str(error)) from None


async def start_round(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """POST ledger/rounds: the finished round is summed up before the answer, so that its memory is free by then."""
    ledger = call.rig.ledger
    async with call.plane.round_changing:
        async with call.view.changing() as tell:
            finished = ledger.round
            started = ledger.start_round()
            tell(RoundStarted())
        with suppress(UnknownRoundError):  # reset meanwhile
            await in_slices(ledger.view_steps(finished))
    return RoundAnswer(started, finished)


def _require_seed(seed: int, problem: Problem) -> None:
    if seed > SEED_MAX:
        raise ControlError(problem, f"`seed` must be from 0 to {SEED_MAX} (2**64 - 1), not {seed}")


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/api/v1/ledger",
        operation="viewLedger",
        summary="What became of every device: accepted once, more than once, rejected, never answered.",
        handler=view_ledger,
        query=LedgerQuery,
        body=NoBody,
        answer=LedgerAnswer,
        problems=(Problem.UNKNOWN_ROUND,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/ledger/marks",
        operation="viewMarks",
        summary="Devices of the running round one by one, a byte each: how often accepted (0, 1, 2 for more) in the two low "
        "bits, and 4 when ever rejected. For who adds up several simulators behind one address.",
        handler=view_marks,
        query=MarksQuery,
        body=NoBody,
        answer=None,
        media_type=MARKS,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/ledger/rounds",
        operation="startRound",
        summary="Begin a new round, so that two campaigns over the same devices are told apart.",
        handler=start_round,
        query=NoQuery,
        body=NoBody,
        answer=RoundAnswer,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/populations",
        operation="listPopulations",
        summary="The declared populations.",
        handler=list_populations,
        query=NoQuery,
        body=NoBody,
        answer=PopulationsAnswer,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/populations",
        operation="declarePopulation",
        summary="Declare a population, so that the ledger can say which devices were never reached.",
        handler=declare_population,
        query=NoQuery,
        body=Declaration,
        answer=DeclaredAnswer,
        problems=(Problem.INVALID_VALUE, Problem.BOUND_REACHED),
    ),
)
