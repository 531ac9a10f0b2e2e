"""What a billion devices would take: arithmetic on what was measured."""

import msgspec
import pytest

from loadtest.bench import extrapolation
from loadtest.bench.extrapolation import Estimate, bytes_text, extrapolate, fit, time_text
from loadtest.bench.records import BenchReport
from simulator import ledger
from tests.loadtest.bench_records import cost, grown_report, report


def estimates(of: BenchReport) -> dict[str, Estimate]:
    return {each.what: each for each in extrapolate(of)}


def test_cost_goes_on_by_the_same_step_for_each_ten_times_as_many() -> None:
    line = fit([cost(10_000, 7.0), cost(1_000_000, 7.4)], lambda each: each.cpu_us["server"])
    assert line is not None and line.step == pytest.approx(0.2) and line.at(10**9) == pytest.approx(8.0)
    assert estimates(grown_report())["CPU time of a notification, server"].value == "8.0 µs"


def test_what_fell_with_size_is_not_taken_to_go_on_falling() -> None:
    fallen = report(costs=[cost(10_000, 9.0), cost(1_000_000, 7.0)])
    assert estimates(fallen)["CPU time of a notification, server"].value == "7.0 µs"


def test_time_is_that_of_the_busier_side_and_pairs_count_as_far_as_they_kept_their_rate() -> None:
    found = estimates(grown_report())  # sender 10 µs; two workers had 1.8 times the rate of one
    assert found["one sender, one simulator, a core each"].value == "2.8 h"
    assert "100,000/s" in found["one sender, one simulator, a core each"].how
    assert (
        found["pairs of sender and worker for one hour"].value == "4"
        and "90%" in found["pairs of sender and worker for one hour"].how
    )
    alone = msgspec.structs.replace(grown_report(), growth=[])
    assert estimates(alone)["pairs of sender and worker for one hour"].value == "3"


def test_workers_say_nothing_of_pairs_where_one_was_not_the_limit() -> None:
    found = grown_report()
    idle = [
        msgspec.structs.replace(each, row=msgspec.structs.replace(each.row, limit="neither")) for each in found.growth
    ]
    pairs = estimates(msgspec.structs.replace(found, growth=idle))["pairs of sender and worker for one hour"]
    assert pairs.value == "3" and "100%" in pairs.how


def test_the_senders_memory_goes_on_as_between_the_two_largest_sizes() -> None:
    sizes = [(10_000, 50.0), (100_000, 70.0), (1_000_000, 84.0), (10_000_000, 86.0)]
    costs = [
        msgspec.structs.replace(cost(devices), peak_rss_mb={"server": 80.0, "sender": mb}) for devices, mb in sizes
    ]
    assert estimates(report(costs=costs))["memory of one sender"].value == "90 MB"


def test_the_ledger_is_told_as_the_simulator_has_it() -> None:
    assert extrapolation.LEDGER_PAGE_DEVICES == extrapolation.LEDGER_PAGE_BYTES == ledger.PAGE_INDICES
    assert extrapolation.LEDGER_PAGES_MAX == ledger.PAGES_MAX
    found = estimates(grown_report())["ledger, all simulators together"]
    assert found.value == "1 GB" and "15,259 pages" in found.how and "15 of them" in found.how


def test_a_full_ledger_comes_on_top_of_what_a_simulator_takes_without_one() -> None:
    found = estimates(report(costs=[cost(10_000), cost(10_000_000, peak_mb=90.0)]))
    assert found["memory of one simulator, its ledger full"].value == "147 MB"  # 90 - 10 + 67
    assert found["memory of one simulator, its ledger full"].how.startswith("80 MB without")


def test_files_and_store_grow_with_the_devices() -> None:
    found = estimates(grown_report())
    assert found["minting the tokens, one process"].value == "33.3 min"
    assert found["a .csv file of them"].value == "150 GB in 1.4 h"
    assert found["the device store, with the campaign's results"].value == "260 GB, filled in 2.8 h"


def test_one_size_shows_no_growth_and_unknown_figures_are_left_out() -> None:
    assert extrapolate(report(costs=[cost(10_000)])) == []
    dark = [msgspec.structs.replace(each, cpu_us={"server": None, "sender": None}) for each in (cost(100), cost(1_000))]
    assert all("CPU" not in what for what in estimates(report(costs=dark)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (999.0, "999 bytes"),
        (65_536.0, "65.5 kB"),
        (147e9, "147 GB"),
        (1.0e9, "1 GB"),
        (2.64e11, "264 GB"),
        (3.2e12, "3.2 TB"),
    ],
)
def test_sizes_are_told_in_their_unit(value: float, expected: str) -> None:
    assert bytes_text(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(12.34, "12.3 s"), (90.0, "1.5 min"), (7_200.0, "2.0 h")])
def test_times_are_told_in_their_unit(value: float, expected: str) -> None:
    assert time_text(value) == expected
