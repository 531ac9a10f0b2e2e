"""`/api/v1/scenario`: the scenario that the simulator plays, how far it is, and its next run."""

from typing import Literal

import msgspec
from starlette.responses import Response

from simulator.control.endpoint import AnyEndpoint, Call, Endpoint, NoBody, NoQuery
from simulator.control.problems import ControlError, Problem
from simulator.faults.scenario import Scenario
from simulator.scenario_player import NoRunLeftError, ScenarioPlayer


class PhaseStanding(msgspec.Struct, frozen=True):
    """One phase in the present run. Of those that are for other runs the standing is `over`."""

    name: str
    standing: Literal["waiting", "active", "over"]


class ScenarioAnswer(msgspec.Struct, frozen=True):
    """The scenario as its file has it, and how far it is.

    `run`: from 1. `elapsed_s`: since the run's first connection, null before it. `notifications`: answered in this run.
    `phases`: in the order of the file. `problem`: what kept a phase from being as the file says.
    """

    scenario: Scenario
    run: int
    elapsed_s: float | None
    notifications: int
    phases: list[PhaseStanding]
    problem: str | None


async def show_scenario(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET scenario."""
    return _shown(_player(call.rig.scenario))


async def begin_run(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """POST scenario/runs."""
    player = _player(call.rig.scenario)
    try:
        player.begin_run()
    except NoRunLeftError as error:
        raise ControlError(Problem.INVALID_VALUE, f"{error}; start the simulator anew") from None
    return _shown(player)


def _player(player: ScenarioPlayer | None) -> ScenarioPlayer:
    if player is None:
        raise ControlError(Problem.NO_SCENARIO, "no scenario is played; start the simulator with --scenario NAME")
    return player


def _shown(player: ScenarioPlayer) -> ScenarioAnswer:
    scenario = player.read.scenario
    phases = [
        PhaseStanding(phase.name, standing.value)
        for phase, standing in zip(scenario.phase, player.play.standings(), strict=True)
    ]
    return ScenarioAnswer(scenario, player.play.run, player.elapsed_s(), player.notifications, phases, player.problem)


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/api/v1/scenario",
        operation="showScenario",
        summary="The scenario that is played, and how far it is.",
        handler=show_scenario,
        query=NoQuery,
        body=NoBody,
        answer=ScenarioAnswer,
        problems=(Problem.NO_SCENARIO,),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/scenario/runs",
        operation="beginRun",
        summary="Begin the scenario's next run over the same devices: phases and ledger begin anew.",
        handler=begin_run,
        query=NoQuery,
        body=NoBody,
        answer=ScenarioAnswer,
        problems=(Problem.NO_SCENARIO, Problem.INVALID_VALUE),
    ),
)
