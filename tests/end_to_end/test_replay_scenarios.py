"""The reference sender at full marks: every scenario that ships, in a short form, over every provider that it names.

They mostly wait, so that several are played at a time.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

import pytest

from loadtest.replay.card import ScenarioReport, scenario_report
from loadtest.replay.grading import grade
from loadtest.replay.play import play
from loadtest.replay.scenario_list import scenarios_named

AT_A_TIME = 6
TIMEOUT_S = 300
SEND = (sys.executable, "-P", "-m", "pushrig", "send")
SCENARIOS = {each.name: each for each in scenarios_named([])}
# Those that wait the longest come first.
LONG = ("long-stall-then-reset", "slow-handshake", "silent-stream", "retry-storm")
PLAYED = [
    (name, provider)
    for name in sorted(SCENARIOS, key=lambda each: (each not in LONG, each))
    for provider in SCENARIOS[name].providers
]

SHORTER = {"silent-stream": ("hung_s_max = 60", "hung_s_max = 10")}
"""By scenario: what stands in its file, and what takes its place. Its sender waits as long as the scenario lets it."""

Plays: TypeAlias = dict[tuple[str, str], Future[ScenarioReport]]


def played(name: str, provider: str, folder: Path) -> ScenarioReport:
    """The report of one scenario over the reference sender."""
    which, scenario = name, SCENARIOS[name]
    if name in SHORTER:
        text = (files("simulator.faults") / "scenarios" / f"{name}.toml").read_text()
        long, short = SHORTER[name]
        assert long in text
        path = folder / f"{name}-{provider}.toml"
        path.write_text(text.replace(long, short))
        which, (scenario,) = str(path), scenarios_named([str(path)])
    seen = play(scenario, which, provider, SEND)
    return scenario_report(seen, grade(seen))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenarios")


@pytest.fixture(scope="module")
def plays(folder: Path) -> Iterator[Plays]:
    """All of them under way."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield {each: pool.submit(played, *each, folder) for each in PLAYED}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("name", "provider"), PLAYED, ids=[f"{name}-{provider}" for name, provider in PLAYED])
def test_the_reference_sender_keeps_to_all_that_is_expected(plays: Plays, name: str, provider: str) -> None:
    report = plays[name, provider].result(TIMEOUT_S)
    broken = {row.expectation: (row.found, row.evidence) for row in report.rows if row.grade == "broken"}
    assert not broken
    assert report.grade == "held"
    # A scenario in which nothing happened would show nothing.
    assert report.faults or name == "reregistered-after-410"


@pytest.mark.parametrize("name", ["reregistered-after-410", "uninstall-wave", "rejection-throttle"])
def test_the_same_seed_gives_the_same_grades_and_counts(plays: Plays, folder: Path, name: str) -> None:
    provider = SCENARIOS[name].providers[0]
    reports = [plays[name, provider].result(TIMEOUT_S), *(played(name, provider, folder) for _ in range(2))]
    grades = [[(row.expectation, row.grade) for row in report.rows] for report in reports]
    assert grades[0] == grades[1] == grades[2]
    counts = [[(run.devices, run.accepted) for run in report.runs] for report in reports]
    assert counts[0] == counts[1] == counts[2]
