"""The page of a run: what it says of which run, that all on it is well-formed and escaped, that it stays small."""

import re
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.report.charts import BAND_ROWS_MAX
from loadtest.report.ledger_record import Ledger
from loadtest.report.page import FAILURES_MAX, FAULTS_MAX, html_page
from loadtest.report.page_charts import OUTCOMES_MAX
from loadtest.report.results_directory import Results
from loadtest.report.run_record import (
    INTERVALS_MAX,
    FaultBand,
    Histogram,
    Interval,
    Limit,
    Series,
)
from loadtest.report.sender_record import SenderRecord
from tests.loadtest.report.result_records import results, run_record, sender_record, senders_run, series

VOID = {"meta", "br", "hr"}


class Page(HTMLParser):
    """What a page says, its elements checked for balance."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(page.decode())
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, _ in attrs:
            assert not name.startswith("on"), name

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def said(**changed: object) -> str:
    return Page(html_page(results(**changed))).text


def test_a_profile_that_is_the_name_is_told_once() -> None:
    assert "12:00 UTC; 60,000 devices" in said(name="steady:rate=1000")


def test_a_run_without_fault_says_so() -> None:
    page = said()
    assert "Load test: steady" in page
    assert "✓ Every device is accounted for." in page
    assert (
        "2026-03-01 12:00 UTC; profile steady:rate=1000; 60,000 devices of apns at https://localhost:8443, seed 7"
        in page
    )
    assert "latency, 99 % 14 ms" in page
    assert (
        "Latencies count from the scheduled instant to the answer. Open loop: arrivals were scheduled (poisson)" in page
    )
    assert "whatever became of those before. 1,000 a second by the schedule, 99.9 % of that handed out." in page


@pytest.mark.parametrize(
    ("bottleneck", "words"),
    [
        ("simulator", "The simulator was the limit"),
        ("load generator", "The load generator was the limit"),
        ("rate", "The rate asked for was the limit"),
        ("neither", "Neither side was busy"),
        ("<i>", "The limit was: <i>."),
    ],
)
def test_it_says_which_side_was_the_limit_with_the_ceiling_beside_it(bottleneck: str, words: str) -> None:
    page = said(bottleneck=bottleneck)
    assert words in page
    assert (
        "ceiling was 21,000 a second (measured for 2 s before the run); this run had 1,000 a second, 4.76 % of it."
        in page
    )
    assert "ceiling is not known" in said(bottleneck=bottleneck, ceiling_per_s=None)


def test_a_load_generator_that_fell_behind_and_failures_come_first() -> None:
    page = said(behind="3 % of the arrivals were late.", behind_ms_max=842.0, failures=["one", "two"])
    assert "fell behind its schedule: 3 % of the arrivals were late. At worst it was 842 ms late." in page
    assert "✗ Not everything came out as it must: one two rate" in page
    assert page.index("fell behind") < page.index("Not everything") < page.index("Throughput")


def senders_page(*senders: SenderRecord, **changed: object) -> str:
    rows = [
        Interval(at_s=float(at), scheduled=0, sent=500, accepted=495, rejected={"Unregistered": 5}, connections=at + 1)
        for at in range(3)
    ]
    times = [
        Histogram(name=name, count=100, mean_ms=2.0, max_ms=9.0, points=[(0.5, 1.5), (1.0, 9.0)])
        for name in ("gap", "answer")
    ]
    run = senders_run(*senders, **{"elapsed_s": 3.0, **changed})
    return Page(html_page(Results(run, Series(interval_s=1.0, rows=rows), times))).text


def test_a_run_of_external_senders_has_what_the_simulator_saw_and_says_what_it_cannot_know() -> None:
    page = senders_page()
    assert "when they meant to send, and how long they waited for answers, they alone know".lower() in page.lower()
    assert "Latencies count from" not in page
    assert "busiest second 700 /s between requests, 50 % 1.5 ms" in page
    assert "Open connections over time" not in page  # what is not seen is told to those who do not see it
    assert "Connections over time" in page
    assert "opened 4 TLS handshakes that failed 0 protocol errors 0 stopped at the limit streams 2" in page
    assert "ended by client: end 2" in page
    assert "Times by percentile" in page
    assert "between requests of a connection 1.5 ms" in page
    assert "Neither side was busy: senders waited" in page
    assert "senders 1, with 4 connections in all" in page
    assert "senders, from their start 3 s 120 %" in page


def test_good_and_bad_senders_have_their_figures_beside_each_other() -> None:
    bad = sender_record(
        command="./bad", exit_code=1, ledger=Ledger(accepted_once=1, accepted_more=9, rejected=2, never=988)
    )
    page = senders_page(sender_record(), bad, sender_record(command="./slow", overdue=True, seen=None))
    assert "1: python send.py {tokens} exit code 0, 2.5 s 1,000 994 1 5 0" in page
    assert "2: ./bad exit code 1, 2.5 s 1,000 1 9 2 988" in page
    assert "3: ./slow overdue, 2.5 s" in page
    assert "2 1,001 500 1.5 ms 20 ms 0.9 ms 2 500 7 3" in page
    assert "Requests were not followed" in senders_page(sender_record(seen=None))


def test_a_closed_loop_says_what_its_latency_hides() -> None:
    page = said(arrivals="closed")
    assert "Latencies count from sending to the answer. Closed loop: each notification waited" in page
    assert "came due" not in page
    assert "planned by the profile" not in page


def test_the_ceiling_and_limits_are_drawn_where_the_rates_leave_room_and_told_elsewhere() -> None:
    limits = [
        Limit(name="quota", value="600,000 a minute", per_s=10_000.0),
        Limit(name="pace", value="1,500/s", per_s=1_500.0),
    ]
    page = said(limits=limits)
    assert "Beyond the scale: quota, 10,000/s; the simulator's ceiling, 21,000/s." in page
    assert "final answers pace, 1,500/s" in page
    assert "quota 600,000 a minute 10,000/s" in page


def test_faults_are_bands_with_numbers_and_a_table() -> None:
    page = html_page(results())
    assert page.count(b'class="band"') == 3 * 2  # three charts over time, two faults
    assert b"<title>latency, 20 s to 25 s</title>" in page
    assert "# fault from to 1 latency 20 s 25 s 2 goaway 50 s the end" in Page(page).text
    crowded = html_page(results(faults=[FaultBand(fault="reset", from_s=1.0, to_s=1.0)] * (FAULTS_MAX + 1)))
    assert crowded.count(b'class="number" x=') == 3 * BAND_ROWS_MAX
    assert "and 1 more" in Page(crowded).text


def test_the_funnel_follows_devices_to_notifications() -> None:
    page = said(ledger=Ledger(accepted_once=59_000, accepted_more=400, rejected=598, never=2))
    assert "came due 60,000, 100 % seen by the simulator 59,998, 100 % answered for good 60,000, 100 %" in page
    assert "accepted 59,400, 99 % notified exactly once 59,000, 98.3 %" in page
    assert "By the simulator's ledger: 400 notified more than once, 2 never seen." in page
    assert "ledger" not in said(ledger=None)


def test_outcomes_beyond_those_with_a_colour_are_shown_together() -> None:
    rejected = {f"Reason{number}": 10 + number for number in range(OUTCOMES_MAX + 3)}
    row = msgspec.structs.replace(series().rows[0], rejected=rejected)
    page = Page(html_page(Results(run_record(rejected=rejected), Series(interval_s=1.0, rows=[row] * 5), []))).text
    assert "accepted Reason8 Reason7 Reason6 Reason5 Reason4 other reasons" in page
    assert "Reason0 10 " in page  # the table has them all


def test_a_run_that_recorded_nothing_still_has_its_page() -> None:
    empty = run_record(
        accepted=0, rejected={}, sent=0, scheduled=0, elapsed_s=0.0, rate_per_s=0.0, latency_ms={}, faults=[]
    )
    page = Page(html_page(Results(empty, Series(interval_s=1.0, rows=[]), []))).text
    assert page.count("Nothing was recorded.") == 4


def test_the_longest_run_makes_a_page_that_can_be_mailed() -> None:
    row = msgspec.structs.replace(series().rows[0], rejected={f"Reason{number}": 1 for number in range(20)})
    rows = [msgspec.structs.replace(row, at_s=float(at)) for at in range(INTERVALS_MAX)]
    long = results(elapsed_s=float(INTERVALS_MAX), failures=["x" * 5_000] * (FAILURES_MAX + 7))
    page = html_page(long._replace(series=Series(interval_s=1.0, rows=rows)))
    assert len(page) < 1_500_000
    assert "and 7 more" in Page(page).text


HOSTILE = "\0<script>alert('1')</script>&\"'\u202e\n]]>"
hostile = st.sampled_from([HOSTILE, "</style>", '" onload="x', "${body}", "$title", "🎈", "\ud800"])


@given(hostile, st.floats(0, 1e9), st.integers(0, 2**40))
def test_anybodys_words_and_any_figures_stay_words(words: str, number: float, count: int) -> None:
    run = run_record(
        **dict.fromkeys(
            ("name", "began_at", "provider", "endpoint", "profile", "arrivals", "bottleneck", "behind"), words
        ),
        command=[words],
        versions={words: words},
        rejected={words: count},
        given_up={words: count},
        latency_ms={words: number},
        limits=[Limit(name=words, value=words, per_s=number)],
        faults=[FaultBand(fault=words, from_s=number, to_s=0.0)],
        failures=[words],
        ceiling_per_s=number,
        elapsed_s=number,
        accepted=count,
    )
    row = Interval(
        at_s=number, scheduled=count, sent=0, accepted=count, rejected={words: count}, latency_ms={"p50": number}
    )
    histogram = Histogram(name=words, count=count, mean_ms=number, max_ms=number, points=[(0.0, number), (1.0, number)])
    page = html_page(Results(run, Series(interval_s=1.0, rows=[row]), [histogram]))
    assert not set(Page(page).tags) & {"script", "img", "link", "iframe"}
    assert b"nan" not in page
    assert re.search(rb"[\x00-\x08\x0b-\x1f]", page) is None
