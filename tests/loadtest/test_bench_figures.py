"""From runs to rows, and what h2load says."""

import pytest

from loadtest.bench.child import BenchError
from loadtest.bench.figures import bound_per_s, limit_of, row_of
from loadtest.bench.rows import NAMES, ROWS, chosen, count_of
from loadtest.bench.senders import read_h2load
from tests.loadtest.bench_records import run


def test_a_row_is_the_median_of_its_runs_and_says_how_far_they_lie_apart() -> None:
    row = row_of("x", "x → y", [run(elapsed_s=elapsed_s) for elapsed_s in (0.5, 1.0, 0.8)])
    assert row.rate_per_s == 1_250 and row.rates_per_s == [2_000, 1_000, 1_250]
    assert row.spread == pytest.approx((2_000 - 1_000) / 1_250)


def test_cpu_time_is_told_for_one_notification_in_microseconds_as_a_median_of_its_own() -> None:
    row = row_of("x", "x → y", [run(server_s=spent_s) for spent_s in (0.005, 0.009, 0.006)])
    assert row.cpu_us == {"server": 6.0, "sender": 200.0}


def test_cpu_time_that_no_run_could_read_is_unknown_and_bounds_nothing() -> None:
    row = row_of("x", "x → y", [run(server_s=None)])
    assert row.cpu_us["server"] is None and row.bound_per_s is None


@pytest.mark.parametrize(
    ("server_us", "sender_us", "bound"),
    [(5.0, 2.0, 200_000), (2.0, 5.0, 200_000), (None, 2.0, None), (0.0, 2.0, None)],
)
def test_the_busier_side_bounds_the_rate(server_us: float | None, sender_us: float, bound: float | None) -> None:
    assert bound_per_s({"server": server_us, "sender": sender_us}) == bound


@pytest.mark.parametrize(
    ("server_s", "sender_s", "limit"),
    [
        (0.95, 0.5, "server"),
        (0.5, 1.1, "sender"),
        (0.5, 0.5, "neither"),
        (None, None, "unknown"),
        (None, 0.9, "sender"),
    ],
)
def test_the_side_without_time_to_spare_is_the_limit(
    server_s: float | None, sender_s: float | None, limit: str
) -> None:
    assert limit_of({"server": server_s, "sender": sender_s}, 1.0) == limit


def test_several_processes_have_a_core_each() -> None:
    two = {"server": 2, "sender": 1}
    assert bound_per_s({"server": 10.0, "sender": 2.0}, two) == 200_000
    assert limit_of({"server": 1.0, "sender": 0.5}, 1.0, two) == "neither"
    assert limit_of({"server": 1.8, "sender": 0.5}, 1.0, two) == "server"


H2LOAD = b"""
finished in 1.50s, 33333.33 req/s, 1.20MB/s
requests: 50000 total, 50000 started, 50000 done, 50000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 49990 2xx, 0 3xx, 10 4xx, 0 5xx
"""


@pytest.mark.parametrize(("said", "seconds"), [(b"1.50s", 1.5), (b"1500.0ms", 1.5), (b"900us", 0.0009)])
def test_h2load_tells_its_time_in_three_units(said: bytes, seconds: float) -> None:
    elapsed_s, answered = read_h2load(H2LOAD.replace(b"1.50s", said))
    assert elapsed_s == pytest.approx(seconds) and answered == (49_990, 10)


def test_an_h2load_that_measured_nothing_is_an_error_with_what_it_said() -> None:
    with pytest.raises(BenchError, match="could not connect"):
        read_h2load(b"could not connect to host")


def test_slow_rows_send_a_share_of_what_was_asked_but_enough_to_measure() -> None:
    by_name = {row.name: row for row in ROWS}
    assert count_of(by_name["ruler"], 200_000) == 200_000
    assert count_of(by_name["hypercorn"], 200_000) == 4_000
    assert count_of(by_name["httpx"], 2_000) == 100
    assert count_of(by_name["httpx"], 50) == 50


def test_rows_are_chosen_by_name_in_the_order_of_the_table() -> None:
    assert [row.name for row in chosen(("simulator", "ruler"))] == ["ruler", "simulator"]
    assert tuple(row.name for row in chosen(())) == NAMES
    with pytest.raises(ValueError, match="no row 'rulers'"):
        chosen(("ruler", "rulers"))
