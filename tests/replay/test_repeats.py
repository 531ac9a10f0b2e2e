"""The same scenario over and over: which counts are the scenario's, and what differs from one time to the next."""

from loadtest.replay.card import ScenarioReport, failed_report, scenario_report
from loadtest.replay.counts import counts_of
from loadtest.replay.evidence import LINES_MAX
from loadtest.replay.grading import grade
from loadtest.replay.history import Fate
from loadtest.replay.observed import FaultPlayed
from loadtest.replay.repeats import compared
from loadtest.replay.rows import Row
from tests.replay.told import Told, all_right
from wire.errors import ErrorCode


def report(told: Told) -> ScenarioReport:
    return scenario_report(told.played, grade(told.played))


def row(*reports: ScenarioReport) -> Row:
    """What is said of them together; the other rows are those of the first."""
    together = compared(reports)
    assert together.rows[:-1] == reports[0].rows
    return together.rows[-1]


def test_every_request_counts_once_by_what_became_of_it() -> None:
    told = all_right(devices=2)
    told.refused(0, 3, 429, "TooManyRequests")
    told.refused(1, 3, 429, "TooManyRequests")
    told.reset(told.asked(0, 4), 5, ErrorCode.REFUSED_STREAM.value)
    told.reset(told.asked(0, 6), 7, ErrorCode.INTERNAL_ERROR.value)
    told.asked(0, 8)
    told.reset(told.asked(1, 9), 12, ErrorCode.CANCEL.value, by="client")
    last = told.asked(0, 13)
    told.asked(1, 14)
    told.goaway(last, 15)
    told.fault(16)
    (run,) = told.played.history.runs
    assert counts_of(run) == {
        "devices": 2,
        "requests": 10,
        "accepted": 2,
        "above the last stream of a GOAWAY": 1,
        "answered 200": 2,
        "answered 429 TooManyRequests": 2,
        "fault reason": 1,
        "refused streams": 1,
        "reset streams": 1,
        "unanswered": 3,
    }


def test_an_answer_that_may_not_have_been_read_is_an_answer_like_any_other() -> None:
    told = Told(devices=1)
    told.opened()
    told.accepted(0, 1.0)
    sure = counts_of(told.played.history.runs[0])
    told.closed(at_s=1.1, how="reset")
    (run,) = told.played.history.runs
    assert run.exchanges[0].fate is Fate.UNCERTAIN
    assert counts_of(run) == sure


def test_what_is_left_to_the_sender_may_differ() -> None:
    other = all_right()
    other.opened(2, 5.0)
    other.closed(2, 6.0, bytes_in=5, frames_in={"PING": 3})
    other.seen.append(FaultPlayed(at_s=5.0, connection=2, stream=None, fault=1, name="goaway", stage=""))
    found = row(report(all_right()), report(other), report(all_right()))
    assert (found.grade, found.expected, found.measured) == ("held", "3 times the same", 0)


def test_counts_and_grades_that_differ_are_told_with_their_time_and_run() -> None:
    again = all_right(runs=2, expect={"attempts_max": 1})
    again.accepted(0, 105)
    first = report(again)
    again.accepted(0, 106)
    found = row(first, first, report(again))
    assert (found.grade, found.measured) == ("broken", 5)
    assert found.evidence == (
        "time 3: duplicated_max broken (1 device got more than one), the first time held",
        "time 3: attempts_max broken (2 for one device, 1.20 on average), the first time held",
        "time 3: run 2, requests: 2, the first time 1",
        "time 3: run 2, accepted: 2, the first time 1",
        "time 3: run 2, answered 200: 2, the first time 1",
    )


def test_results_that_one_time_alone_cannot_be_read_differ() -> None:
    other = all_right()
    other.results_problem = "run 1: line 3 of the results: give token,outcome"
    found = row(report(all_right()), report(other))
    assert found.evidence == (
        "time 2: results broken (run 1: line 3 of the results: give token,outcome), the first time not graded",
    )
    assert row(report(other), report(other)).grade == "held"
    assert row(report(other), report(all_right())).grade == "broken"


def test_what_one_time_alone_has_differs_too() -> None:
    other = all_right()
    other.asked(0, 5)
    assert "time 2: unanswered: 1, the first time 0" in row(report(all_right()), report(other)).evidence
    assert "time 2: unanswered: 0, the first time 1" in row(report(other), report(all_right())).evidence


def test_evidence_is_bounded() -> None:
    other = all_right()
    other.asked(0, 5)
    found = row(report(all_right()), *[report(other)] * LINES_MAX)
    assert len(found.evidence) == LINES_MAX
    assert found.measured is not None
    assert found.measured > LINES_MAX


def test_a_time_that_could_not_be_played_is_what_counts() -> None:
    told = all_right()
    failed = failed_report(told.scenario, "apns", "the simulator is gone")
    assert compared([report(told), failed]) is failed
