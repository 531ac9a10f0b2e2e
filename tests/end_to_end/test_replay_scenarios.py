"""The reference sender at full marks: every scenario that ships, in a short form, over every provider that it names, and alike
each time.

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
from loadtest.replay.repeats import compared
from loadtest.replay.scenario_list import scenarios_named
from tests.end_to_end.scenario_counts import COUNTS

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

THREE_TIMES = ("goaway-mid-burst", "refused-stream-late", "expired-token-burst")
"""Quick ones in which connections end with much in flight. Of the others one time is held against the transcript."""

Plays: TypeAlias = dict[tuple[str, str], list[Future[ScenarioReport]]]
"""By scenario and provider."""


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
        started = {each: [pool.submit(played, *each, folder)] for each in PLAYED}
        for name in THREE_TIMES:
            of = name, SCENARIOS[name].providers[0]
            started[of] += [pool.submit(played, *of, folder) for _ in range(2)]
        yield started
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("name", "provider"), PLAYED, ids=[f"{name}-{provider}" for name, provider in PLAYED])
def test_the_reference_sender_keeps_to_all_that_is_expected(plays: Plays, name: str, provider: str) -> None:
    report = plays[name, provider][0].result(TIMEOUT_S)
    broken = {row.expectation: (row.found, row.evidence) for row in report.rows if row.grade == "broken"}
    assert not broken
    assert report.grade == "held"
    # A scenario in which nothing happened would show nothing.
    assert report.faults or name == "reregistered-after-410"


@pytest.mark.parametrize(("name", "provider"), PLAYED, ids=[f"{name}-{provider}" for name, provider in PLAYED])
def test_the_counts_are_those_of_the_transcript(plays: Plays, name: str, provider: str) -> None:
    report = plays[name, provider][0].result(TIMEOUT_S)
    for run, expected in zip(report.runs, COUNTS[name, provider], strict=True):
        left_out = {what for what in run.counts if what in ("devices", "answered 200") or what.startswith("fault ")}
        assert {what: count for what, count in run.counts.items() if what not in left_out} == expected


@pytest.mark.parametrize("name", THREE_TIMES)
def test_the_same_seed_gives_the_same_grades_and_counts(plays: Plays, name: str) -> None:
    reports = [each.result(TIMEOUT_S) for each in plays[name, SCENARIOS[name].providers[0]]]
    assert len(reports) == 3
    row = compared(reports).rows[-1]
    assert (row.grade, row.expectation, row.evidence) == ("held", "times", ())
