"""Whatever can be read as records has a page, a screen, and a comparison: a results directory may come from anywhere."""

import io

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from loadtest.report.compare import compare
from loadtest.report.ledger_record import Ledger
from loadtest.report.page import html_page
from loadtest.report.results_directory import Results
from loadtest.report.run_record import FaultBand, Histogram, Interval, Limit, RunRecord, Series
from loadtest.report.screen import show_comparison, show_run
from loadtest.report.sender_record import SenderSeen, SendersRecord
from tests.loadtest.report.result_records import connection_figures, run_record, sender_record

number = st.floats(0, 1e15)
count = st.integers(0, 10**15)
words = st.text(max_size=5)
latencies = st.dictionaries(st.sampled_from(["p50", "p99", "max", "odd"]), number, max_size=3)
outcomes = st.dictionaries(words, count, max_size=3)
intervals = st.builds(
    Interval,
    at_s=number,
    scheduled=count,
    sent=count,
    accepted=count,
    rejected=outcomes,
    given_up=outcomes,
    planned_per_s=st.none() | number,
    latency_ms=latencies,
    behind_ms=number,
    connections=st.none() | count,
)
distributions = st.builds(
    Histogram,
    name=words | st.sampled_from(["scheduled", "sent fcm"]),
    count=count,
    mean_ms=number,
    max_ms=number,
    points=st.lists(st.tuples(st.floats(0, 1), number), max_size=4),
)
connections = st.builds(
    lambda **changed: msgspec.structs.replace(connection_figures(), **changed),
    opened=count,
    spoken=outcomes,
    requests=outcomes,
    ended=outcomes,
)
senders = st.builds(
    lambda command, duration_s, seen: sender_record(command=command, duration_s=duration_s, seen=seen),
    words,
    number,
    st.none()
    | st.builds(
        SenderSeen,
        notifications=count,
        accepted=count,
        rejected=outcomes,
        elapsed_s=number,
        rate_per_s=number,
        gap_ms=latencies,
        answer_ms=latencies,
        connections=connections,
    ),
)
records_of_senders = st.builds(
    SendersRecord,
    senders=st.lists(senders, max_size=3),
    seen=words,
    busiest_per_s=number,
    gap_ms=latencies,
    answer_ms=latencies,
    handshakes_failed=count,
    protocol_errors=count,
    limits_reached=outcomes,
    connections=st.none() | connections,
)
runs = st.builds(
    lambda **changed: run_record(**changed),
    devices=count,
    accepted=count,
    rejected=outcomes,
    given_up=outcomes,
    scheduled=count,
    elapsed_s=number,
    rate_per_s=number,
    latency_ms=latencies,
    ceiling_per_s=st.none() | number,
    behind_ms_max=number,
    began_at=words,
    command=st.lists(words, max_size=2),
    cpu_s=st.dictionaries(st.sampled_from(["simulator", "load_generator"]), st.none() | number),
    peak_rss_mb=st.dictionaries(st.sampled_from(["simulator", "load_generator"]), st.none() | number),
    ledger=st.none() | st.builds(Ledger, accepted_once=count, accepted_more=count, rejected=count, never=count),
    limits=st.lists(st.builds(Limit, name=words, value=words, per_s=st.none() | number), max_size=2),
    faults=st.lists(st.builds(FaultBand, fault=words, from_s=number, to_s=st.none() | number), max_size=3),
    senders=st.none() | records_of_senders,
)


@settings(deadline=None, max_examples=50)
@given(
    runs,
    st.floats(0.001, 1e15),
    st.lists(intervals, max_size=4),
    st.lists(distributions, max_size=3),
)
def test_any_records_have_a_page(
    run: RunRecord, interval_s: float, rows: list[Interval], histograms: list[Histogram]
) -> None:
    page = html_page(Results(run, Series(interval_s=interval_s, rows=rows), histograms))
    assert page.startswith(b"<!DOCTYPE html>")
    for wrong in (b'"nan', b'"inf', b"=nan", b"nan,", b"inf,"):
        assert wrong not in page


@settings(deadline=None, max_examples=50)
@given(st.lists(runs, min_size=1, max_size=3), st.lists(runs, min_size=1, max_size=3), st.floats(0.01, 0.999))
def test_any_runs_can_be_shown_and_compared(old: list[RunRecord], new: list[RunRecord], confidence: float) -> None:
    comparison = compare(old, new, confidence)
    assert msgspec.json.decode(msgspec.json.encode(comparison)) == msgspec.to_builtins(comparison)
    show_comparison(comparison, Console(file=io.StringIO()))
    show_run(old[0], Console(file=io.StringIO()))
