"""Comparisons of runs: what is called better, worse or the same, and what makes two sets hard to compare."""

import pytest

from loadtest.report.compare import Change, compare
from loadtest.report.run_record import Machine, RunRecord
from tests.loadtest.report.result_records import run_record, sender_record, senders_run


def runs(*rates: float, **changed: object) -> list[RunRecord]:
    return [run_record(rate_per_s=rate, **changed) for rate in rates]


def change(name: str, old: list[RunRecord], new: list[RunRecord], confidence: float = 0.95) -> Change:
    return next(each for each in compare(old, new, confidence).changes if each.name == name)


def test_a_rate_that_rose_beyond_its_scatter_is_better_and_one_that_fell_worse() -> None:
    low, high = runs(990, 1_000, 1_010), runs(1_090, 1_100, 1_110)
    better = change("rate_per_s", low, high)
    assert (better.verdict, better.by, round(better.change, 3)) == ("better", "share", 0.1)
    assert better.low is not None and better.high is not None
    assert 0.07 < better.low < 0.1 < better.high < 0.13
    assert change("rate_per_s", high, low).verdict == "worse"


def test_a_change_within_the_scatter_is_none() -> None:
    assert change("rate_per_s", runs(900, 1_000, 1_100), runs(950, 1_050, 1_150)).verdict == "same"
    assert change("rate_per_s", runs(990, 1_000, 1_010), runs(1_015, 1_025, 1_035), 0.8).verdict == "better"
    assert change("rate_per_s", runs(990, 1_000, 1_010), runs(1_015, 1_025, 1_035), 0.99).verdict == "same"


def test_less_is_better_for_latencies_and_neither_for_lengths() -> None:
    slow = [run_record(latency_ms={"p99": value}) for value in (99.0, 100.0, 101.0)]
    fast = [run_record(latency_ms={"p99": value}) for value in (49.0, 50.0, 51.0)]
    assert change("p99_ms", slow, fast).verdict == "better"
    assert change("p99_ms", fast, slow).verdict == "worse"
    short, long = ([run_record(elapsed_s=by + each) for each in (0.0, 0.1)] for by in (60.0, 90.0))
    assert change("elapsed_s", short, long).verdict == "other"


def test_figures_with_zeros_are_compared_by_their_difference() -> None:
    none, some = [run_record(unfinished=0)] * 3, [run_record(unfinished=count) for count in (9, 10, 11)]
    lost = change("lost", none, some)
    assert (lost.by, lost.old, lost.new, lost.change, lost.verdict) == ("units", 0.0, 10.0, 10.0, "worse")
    assert change("lost", none, none).verdict == "same"


def test_single_runs_leave_a_change_unsure_and_say_why() -> None:
    single = compare(runs(1_000), runs(1_500, 1_500, 1_500))
    rate = next(each for each in single.changes if each.name == "rate_per_s")
    assert (rate.verdict, rate.low, rate.high, round(rate.change, 6)) == ("unsure", None, None, 0.5)
    assert single.remarks == ["Without at least two runs on either side nothing tells a change from chance."]
    assert compare(runs(1, 1), runs(1, 1)).remarks == []


def test_figures_that_only_one_side_knows_are_left_out() -> None:
    names = {each.name for each in compare(runs(1, 2), runs(1, 2, ceiling_per_s=None, ledger=None)).changes}
    assert "rate_per_s" in names
    assert not names & {"ceiling_per_s", "ceiling_share", "never", "repeated"}


def test_what_one_side_does_not_know_is_named() -> None:
    assert compare(runs(1, 2), runs(1, 2)).unknown == []
    assert compare(runs(1, 2), runs(1, 2, ledger=None)).unknown == ["never", "repeated"]
    senders = [senders_run(), senders_run()]
    unknown = set(compare(senders, senders).unknown)
    assert unknown == {
        *("p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms", "p50_from_sent_ms", "p99_from_sent_ms"),
        *(
            "scheduled",
            "scheduled_per_s",
            "reached_per_s",
            "reached_share",
            "given_up",
            "behind_ms",
            "load_cpu_s",
            "load_memory_mb",
        ),
    }
    assert {"p50_ms", "gap_p50_ms"} <= set(compare(runs(1, 2), senders).unknown)


def test_other_commands_of_senders_are_said_and_other_connections_are_a_figure() -> None:
    old = [senders_run(), senders_run()]
    new = [senders_run(sender_record(command="node send.mjs"), connections=9)] * 2
    assert compare(old, new).remarks == ["Not the same senders: python send.py {tokens}; now node send.mjs."]
    (connections,) = [each for each in compare(old, new).changes if each.name == "connections"]
    assert [connections.old, connections.new] == pytest.approx([4, 9])


@pytest.mark.parametrize(
    ("changed", "remark"),
    [
        (
            {"machine": Machine(system="Linux aarch64", cores=8, python="3.13.0")},
            "Not the same machine: system Linux x86_64, ",
        ),
        ({"profile": "max"}, "Not the same profile: steady:rate=1000; now max."),
        ({"devices": 2_000}, "Not the same devices: 60,000; now 2,000."),
        ({"versions": {"pushrig": "9"}}, "Not the same versions: pushrig 0.1.0, locust 2.32.0; now pushrig 9."),
        ({"failures": ["x"]}, "2 of 2 runs now did not come out as they must."),
        ({"behind": "x"}, "In 2 of 2 runs now the load generator fell behind its schedule."),
    ],
)
def test_what_makes_two_sets_hard_to_compare_is_said(changed: dict[str, object], remark: str) -> None:
    (said,) = compare(runs(1, 1), runs(1, 1, **changed)).remarks
    assert said.startswith(remark)


def test_repeats_that_differ_among_themselves_are_said() -> None:
    mixed = [*runs(1, profile="max"), *runs(1)]
    assert compare(mixed, mixed).remarks == [
        "Not the same profile: max / steady:rate=1000; now max / steady:rate=1000."
    ]


def test_wild_repeats_leave_bounds_that_are_numbers() -> None:
    wild = change("rate_per_s", runs(1e-9, 1e9), runs(1e9, 1e-9), 0.999999)
    assert wild.verdict == "same"
    assert wild.high is not None and 0 < wild.high < float("inf")
