"""A simulator that plays a scenario: over real sockets, from its first connection on."""

import asyncio
import time
from pathlib import Path

import pytest

from simulator.credentials import Credentials, load_or_create
from simulator.errors import ConfigurationError
from simulator.faults.scenario_file import find_scenario, read_scenario
from simulator.listener import ProviderPlane
from simulator.observation_records import FaultPlayed, PhaseBegan, PhaseEnded, RunBegan
from simulator.scenario_player import ScenarioPlayer
from simulator.settings import merge
from tests.end_to_end.provider_port import connected, listening, run
from tests.faults.test_scenario_file import VALID

TEXT = """\
name = "busy"
title = "t"
what_happens = "w"
good_sender = "g"
providers = ["apns"]
[population]
devices = 10
[[phase]]
name = "busy"
from_notifications = 2
for_notifications = 2
faults = ["reason reason=TooManyRequests retry_after_s=7"]
[[phase]]
name = "late"
from_s = 0.02
for_s = 0.02
faults = ["outage"]
"""


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return load_or_create(tmp_path_factory.mktemp("scenario") / "state", time.time(), {})


def played(plane: ProviderPlane, text: str) -> ScenarioPlayer:
    rig = plane.rig
    rig.observe()
    rig.scenario = ScenarioPlayer(rig, read_scenario(text, "t"), time.monotonic, asyncio.get_running_loop().call_later)
    rig.scenario.begin_run()
    return rig.scenario


def test_phases_begin_and_end_as_notifications_are_answered(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _), connected(credentials, port) as client:
            scenario = played(plane, TEXT.partition('[[phase]]\nname = "late"')[0])
            bodies = [(await client.push())[0].body for _ in range(6)]
            missing = b'{"reason":"MissingProviderToken"}'
            assert bodies == [missing, missing, *[b'{"reason":"TooManyRequests"}'] * 2, missing, missing]
            assert scenario.notifications == 6
            (fault, again) = [each for each in plane.rig.observations.page(0, 1_000) if isinstance(each, FaultPlayed)]
            assert (fault.name, fault.stream, again.stream) == ("reason", 5, 7)

    run(test)


def test_time_counts_from_the_first_connection(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _):
            scenario = played(plane, TEXT)
            assert scenario.elapsed_s() is None
            async with connected(credentials, port):
                while len(told(plane)) < 3:  # noqa: ASYNC110 - the loop's own timers make it so
                    await asyncio.sleep(0)
            assert told(plane) == ["run 1", "late begins", "late ends"]
            assert len(plane.rig.faults) == 0

    run(test)


def told(plane: ProviderPlane) -> list[str]:
    texts = []
    for each in plane.rig.observations.page(0, 1_000):
        if isinstance(each, RunBegan):
            texts.append(f"run {each.run}")
        elif isinstance(each, PhaseBegan | PhaseEnded):
            texts.append(f"{each.name} {'begins' if isinstance(each, PhaseBegan) else 'ends'}")
    return texts


# Settings


def test_a_scenario_brings_its_settings_and_has_all_observed(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(VALID)
    settings = merge({"scenario": str(path)})
    assert (settings.scenario, settings.penalty, settings.observe) == (str(path), "on", "on")
    assert merge({"scenario": "goaway-abrupt"}).scenario == "goaway-abrupt"


def test_flags_and_file_override_what_a_scenario_sets(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(VALID)
    config = tmp_path / "rig.toml"
    config.write_text('scenario = "./mine.toml"\nobserve = "off"\n')
    settings = merge({}, config)
    assert (settings.scenario, settings.penalty, settings.observe) == (str(tmp_path / "mine.toml"), "on", "off")
    assert merge({"penalty": "off"}, config).penalty == "off"
    other = merge({"scenario": "expired-token-burst"}, config)
    assert (other.scenario, other.penalty, other.provider_token_update_interval_s) == ("expired-token-burst", "off", 0)


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        ("nosuch", "nosuch: no scenario is called so"),
        ("./nosuch.toml", "nosuch.toml: cannot be read"),
        ("a\0b", "--scenario: 'a.*will not do; give the name of a scenario"),
    ],
)
def test_what_is_no_scenario_stops_the_start(scenario: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        merge({"scenario": scenario})


def test_a_faulty_file_stops_the_start_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(VALID.replace("runs = 2", "runs = 0"))
    with pytest.raises(ConfigurationError, match=r"mine\.toml:8: runs: expected int >= 1"):
        merge({"scenario": str(path)})


def test_the_name_that_settings_keep_finds_the_scenario_again() -> None:
    kept = merge({"scenario": "goaway-abrupt"}).scenario
    assert kept is not None
    assert find_scenario(kept).scenario.name == "goaway-abrupt"
