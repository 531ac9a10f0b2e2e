"""The report card: what every scenario made of a sender. Plain records; `card_…` show them."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from loadtest.replay.counts import counts_of
from loadtest.replay.history import Run
from loadtest.replay.plain_text import plain, plain_lines
from loadtest.replay.rows import BROKEN, HELD, NOT_GRADED, Ending, Played, Row
from loadtest.replay.scenario import Scenario

SAID_LINES_MAX = 40


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the sender: how it ended, and what it took. `said`: the last lines of its output.

    `counts`: what the scenario decides, by name; the rest is left to the sender, and may be another time.
    """

    exit_code: int
    duration_s: float
    overdue: bool
    said: tuple[str, ...]
    requests: int
    accepted: int
    devices: int
    connections: int
    handshakes: int
    credentials: int
    bytes_in: int
    frames_in: int
    counts: dict[str, int]


class ScenarioReport(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario over one provider. `faults`: how often each was played. `rows`: what was expected, graded.

    `failed`: why it could not be played to its end; None: it was.
    """

    scenario: str
    title: str
    provider: str
    seed: int
    good_sender: str
    sources: tuple[str, ...]
    faults: dict[str, int] = {}
    runs: tuple[RunReport, ...] = ()
    rows: tuple[Row, ...] = ()
    failed: str | None = None

    @property
    def grade(self) -> str:
        """`held` when every row that could be graded is, and one at least could."""
        grades = {row.grade for row in self.rows}
        if self.failed is not None or BROKEN in grades:
            return BROKEN
        return HELD if HELD in grades else NOT_GRADED


class ReportCard(msgspec.Struct, frozen=True, kw_only=True):
    """All scenarios that a sender was put through. `began_at`: in UTC, as ISO 8601. `versions`: of what took part."""

    command: tuple[str, ...]
    began_at: str
    versions: dict[str, str]
    scenarios: tuple[ScenarioReport, ...]
    counts: dict[str, int]

    @property
    def held(self) -> bool:
        """Every scenario was played, and nothing that could be graded was broken."""
        return bool(self.scenarios) and all(each.grade == HELD for each in self.scenarios)


def scenario_report(played: Played, rows: Sequence[Row]) -> ScenarioReport:
    """The report of one scenario."""
    faults: Counter[str] = Counter()
    for run in played.history.runs:
        faults.update(plain(each.name) for each in run.faults)
    scenario = played.scenario
    return ScenarioReport(
        scenario=scenario.name,
        title=scenario.title,
        provider=played.provider,
        seed=scenario.seed,
        good_sender=scenario.good_sender,
        sources=scenario.sources,
        faults=dict(sorted(faults.items())),
        runs=tuple(_run_report(run, end) for run, end in zip(played.history.runs, played.endings, strict=True)),
        rows=tuple(rows),
    )


def failed_report(scenario: Scenario, provider: str, why: str) -> ScenarioReport:
    """The report of one that could not be played to its end."""
    return ScenarioReport(
        scenario=scenario.name,
        title=scenario.title,
        provider=provider,
        seed=scenario.seed,
        good_sender=scenario.good_sender,
        sources=scenario.sources,
        failed=plain(why),
    )


def _run_report(run: Run, ending: Ending) -> RunReport:
    closed = [each.closed for each in run.connections.values() if each.closed is not None]
    return RunReport(
        exit_code=ending.exit_code,
        duration_s=round(ending.duration_s, 3),
        overdue=ending.overdue,
        said=tuple(plain_lines(ending.said, SAID_LINES_MAX)),
        requests=len(run.exchanges),
        accepted=len(run.accepted_s),
        devices=len(run.of_device),
        connections=sum(1 for each in run.connections.values() if each.opened is not None),
        handshakes=len(run.arrivals),
        credentials=len({each.request.credential for each in run.exchanges} - {None}),
        bytes_in=sum(each.bytes_in for each in closed),
        frames_in=sum(sum(each.frames_in.values()) for each in closed),
        counts=counts_of(run),
    )


def report_card(
    command: Sequence[str], began_at: str, versions: dict[str, str], scenarios: Sequence[ScenarioReport]
) -> ReportCard:
    """Put reports together."""
    counts: dict[str, int] = {HELD: 0, BROKEN: 0, NOT_GRADED: 0}
    for row in (row for each in scenarios for row in each.rows):
        counts[row.grade] += 1
    return ReportCard(
        command=tuple(command),
        began_at=began_at,
        versions=versions,
        scenarios=tuple(scenarios),
        counts=counts,
    )
