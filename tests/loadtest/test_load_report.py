"""The report of a load test: which side was the bottleneck, and what does not add up."""

from dataclasses import replace

import msgspec
import pytest

from loadtest.ceiling import Ceiling
from loadtest.control_client import ListedIndices, PopulationLedger
from loadtest.load_outcome import LoadOutcome
from loadtest.load_plan import LoadPlan
from loadtest.load_report import LoadReport, behind_schedule, bottleneck, make_report
from loadtest.process_figures import ProcessFigures
from loadtest.recording import Recording
from loadtest.tally import Tally
from simulator.devices.token_space import parse_fates

NONE_LISTED = ListedIndices([], truncated=False)
UNKNOWN = ProcessFigures(None, None)


def outcome(**changed: object) -> LoadOutcome:
    valid = LoadOutcome(
        devices=100,
        finished=True,
        stopped=None,
        locust_requests=100,
        locust_failures=2,
        tally=Tally(sent=100, accepted=98, rejected={"Unregistered": 2}, started_at_s=1.0, ended_at_s=3.0, cpu_s=1.9),
    )
    return msgspec.structs.replace(valid, **changed)


def ledger(**changed: object) -> PopulationLedger:
    valid = PopulationLedger(1, 0, 100, 98, 0, 2, 0, 0, {"Unregistered": 2}, NONE_LISTED, NONE_LISTED, NONE_LISTED)
    return msgspec.structs.replace(valid, **changed)


PLAN = LoadPlan(
    provider="apns",
    endpoint="https://localhost:8443",
    seed=1,
    devices=100,
    users=4,
    batch_size=10,
    connections=4,
    profile="max",
    arrivals="closed",
)
OPEN = replace(PLAN, profile="steady:rate=50", arrivals="constant")


def report(
    outcome: LoadOutcome, ledger: PopulationLedger | None, outside_ledger: int = 0, plan: LoadPlan = PLAN
) -> LoadReport:
    return make_report(
        outcome,
        plan=plan,
        fates=parse_fates(["unregistered=0.02"]),
        outside_ledger=outside_ledger,
        limits="off",
        ceiling=Ceiling(500.0, "measured"),
        ledger=ledger,
        simulator=UNKNOWN,
        simulator_cpu_s=None,
        load=UNKNOWN,
    )


def test_devices_that_no_ledger_can_know_are_missed_by_none() -> None:
    without = msgspec.structs.replace(ledger(), rejected=0, never=2)
    assert report(outcome(), without, outside_ledger=2).failures == []
    assert len(report(outcome(), without).failures) == 2


def test_a_run_in_which_all_adds_up_has_no_failures() -> None:
    made = report(outcome(), ledger())
    assert made.failures == []
    assert (made.rate_per_s, made.unfinished, made.bottleneck) == (50.0, 0, "load generator")


def test_a_run_without_a_ledger_is_judged_by_the_senders_word() -> None:
    made = report(outcome(), None)
    assert (made.failures, made.ledger) == ([], None)


def test_devices_that_are_sent_to_again_count_once() -> None:
    """As in campaigns: 60 of the 98 had a second notification, 10 of them were gone by then."""
    tally = Tally(
        sent=160, accepted=148, rejected={"Unregistered": 12}, further_accepted=50, further_rejected=10
    )  # fmt: skip
    of_ledger = ledger(accepted_once=48, accepted_more=50)
    assert report(outcome(tally=tally, locust_requests=160), of_ledger).failures == []
    [failure] = report(outcome(tally=tally, locust_requests=159), of_ledger).failures
    assert failure == "Locust counted 99 requests, and 60 to devices that had one before, the ledger 100 devices"


@pytest.mark.parametrize(
    ("spoiled", "of_ledger", "says"),
    [
        ({"locust_requests": 99}, {}, "Locust counted 99 requests, the ledger 100 devices"),
        ({"stopped": "no answer"}, {}, "stopped early: no answer"),
        ({"devices": 103}, {}, "3 of 103 devices have no final answer"),
        ({"devices": 103, "unknown": 2}, {}, "3 of 103 devices have no final answer, of which 2 may have been sent"),
        ({"repeated": 7}, {}, "7 devices may have been sent twice"),
        ({}, {"accepted_once": 97, "never": 1}, "Locust counted 100 requests, the ledger 99 devices"),
        ({}, {"accepted_once": 99, "rejected": 1}, "are not those of the ledger"),
        (
            {"tally": Tally(accepted=98, rejected={"BadTopic": 2})},
            {},
            "2 rejections with BadTopic, which no fate of the population explains",
        ),
    ],
)
def test_what_does_not_add_up_is_named(spoiled: dict[str, object], of_ledger: dict[str, object], says: str) -> None:
    assert any(says in failure for failure in report(outcome(**spoiled), ledger(**of_ledger)).failures)


def recorded(late: int, late_for_room: int = 0) -> Recording:
    return Recording(
        scheduled=1_000,
        late=late,
        late_for_room=late_for_room,
        late_ms_max=750,
        latency_ms={"scheduled apns": {5: 60, 80: 40}, "sent apns": {3: 99, 4: 1}},
    )


def test_percentiles_count_from_the_schedule_where_there_is_one_and_from_sending_beside() -> None:
    tally = msgspec.structs.replace(outcome().tally, latency_ms={5: 60, 80: 39, 300: 1})
    made = report(outcome(tally=tally, recording=recorded(0)), ledger(), plan=OPEN)
    assert made.latency_ms == {"p50": 5, "p90": 80, "p99": 80, "p999": 300, "max": 300}
    assert made.latency_from_sent_ms == {"p50": 3, "p90": 3, "p99": 3, "p999": 4, "max": 4}
    assert report(outcome(), ledger()).latency_ms == {}
    assert (made.scheduled, made.ceiling_per_s, made.ceiling_from) == (1_000, 500.0, "measured")


def test_without_a_schedule_what_was_answered_counts_as_scheduled() -> None:
    assert report(outcome(), ledger()).scheduled == 100


@pytest.mark.parametrize(
    ("late", "late_for_room", "says"),
    [
        (10, 0, None),
        (11, 0, "11 of 1,000 notifications were handed out over 100 ms after their instant: the load generator, or"),
        (400, 201, "the users had all they may have in flight; give it more of them (--users)"),
        (400, 199, "was too busy"),
    ],
)
def test_a_generator_that_hands_out_over_a_hundredth_late_is_behind_and_says_why(
    late: int, late_for_room: int, says: str | None
) -> None:
    found = behind_schedule(recorded(late, late_for_room))
    assert found is None if says is None else found is not None and says in found


def test_a_run_that_is_behind_was_not_limited_by_its_rate() -> None:
    calm = msgspec.structs.replace(outcome().tally, cpu_s=0.1)
    kept = report(outcome(tally=calm, recording=recorded(0)), ledger(), plan=OPEN)
    behind = report(outcome(tally=calm, recording=recorded(500)), ledger(), plan=OPEN)
    assert (kept.bottleneck, kept.behind, kept.behind_ms_max) == ("rate", None, 750)
    assert behind.bottleneck == "neither"
    assert behind.behind is not None and behind.failures == []


def test_a_repeat_is_no_failure() -> None:
    assert report(outcome(), ledger(accepted_once=97, accepted_more=1)).failures == []


@pytest.mark.parametrize(
    ("load_cpu_s", "simulator_cpu_s", "paced", "expected"),
    [
        (9.0, 5.0, False, "load generator"),
        (9.0, 9.5, False, "simulator"),
        (3.0, 3.0, True, "rate"),
        (3.0, None, False, "neither"),
    ],
)
def test_the_bottleneck_is_the_side_that_never_rests(
    load_cpu_s: float, simulator_cpu_s: float | None, paced: bool, expected: str
) -> None:
    assert bottleneck(10.0, load_cpu_s, simulator_cpu_s, paced=paced) == expected
