"""`/api/v1/scenario`: what is played, how far it is, and the next run."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulator.faults.scenario_file import find_scenario
from simulator.scenario_player import ScenarioPlayer, Timer
from tests.control.control_server import ControlServer


class NoTimer:
    """Never called."""

    def cancel(self) -> None:
        pass


def call_later(wait_s: float, call: Callable[[], None]) -> Timer:
    return NoTimer()


@pytest.fixture
def played(control: ControlServer) -> Iterator[ControlServer]:
    """A control plane whose rig plays a scenario of three runs."""

    def play() -> None:
        rig = control.rig
        rig.scenario = ScenarioPlayer(rig, find_scenario("uninstall-wave"), lambda: 50.0, call_later)
        rig.scenario.begin_run()

    def forget() -> None:
        control.rig.scenario = None
        control.rig.faults.clear()

    control.on_loop(play)
    yield control
    control.on_loop(forget)


def test_without_a_scenario_there_is_none(control: ControlServer) -> None:
    for method, path in (("GET", "/api/v1/scenario"), ("POST", "/api/v1/scenario/runs")):
        reply = control.call(method, path)
        assert reply.problem == (404, "no_scenario")
        assert "--scenario NAME" in reply.message


def _standings(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(phase["name"], phase["standing"]) for phase in answer["phases"]]


def test_the_scenario_is_told_as_its_file_has_it(played: ControlServer) -> None:
    answer = played.call("GET", "/api/v1/scenario").json
    scenario = answer["scenario"]
    assert isinstance(scenario, dict)
    assert (scenario["name"], scenario["runs"], scenario["providers"]) == ("uninstall-wave", 3, ["apns", "fcm"])
    assert scenario["population"]["devices"] == 500
    assert scenario["expect"]["kept_wrongly_max"] == 0
    assert (answer["run"], answer["elapsed_s"], answer["notifications"], answer["problem"]) == (1, None, 0, None)
    assert _standings(answer) == [("wave", "active"), ("behind it", "over"), ("after it", "over")]


def test_runs_follow_one_another_until_there_are_no_more(played: ControlServer) -> None:
    answer = played.call("POST", "/api/v1/scenario/runs").json
    assert answer["run"] == 2
    assert _standings(answer) == [("wave", "over"), ("behind it", "active"), ("after it", "over")]
    assert played.call("POST", "/api/v1/scenario/runs").json["run"] == 3
    reply = played.call("POST", "/api/v1/scenario/runs")
    assert reply.problem == (400, "invalid_value")
    assert "has 3 runs" in reply.message
