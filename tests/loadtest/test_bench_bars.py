"""The bars as ratios of rows and limits of figures."""

import msgspec
import pytest

from loadtest.bench.bars import RATIOS, bars_of, ceiling, cost_spread
from loadtest.bench.cost import HANDFUL, Campaigns, cost_of, repeats_of
from loadtest.bench.growth_axes import WORKERS, name_of, worker_marks
from loadtest.bench.records import Bar
from loadtest.bench.rows import NAMES
from tests.loadtest.bench_records import cost, row, run


def bar(bars: list[Bar], name: str) -> Bar:
    return next(each for each in bars if each.name == name)


def test_every_bar_names_rows_that_there_are() -> None:
    assert {name for ratio in RATIOS for name in (ratio.of, ratio.beside)} <= set(NAMES)


@pytest.mark.parametrize(("rate_per_s", "met"), [(59_999.0, False), (60_000.0, True), (120_000.0, True)])
def test_a_bar_is_held_from_its_ratio_upwards(rate_per_s: float, met: bool) -> None:
    found = bar(bars_of([row("simulator", rate_per_s), row("ruler", 100_000.0)], [0.3]), "simulator")
    assert found.met is met and found.value == pytest.approx(rate_per_s / 1_000, abs=0.05)
    assert (found.kind, found.bar, found.unit) == ("least", 60, "%")


def test_the_same_ratio_by_cpu_time_stands_beside_it() -> None:
    rows = [row("simulator", 50_000, server_us=8.0), row("ruler", 100_000, server_us=4.0)]
    found = bar(bars_of(rows, []), "simulator")
    assert (found.value, found.value_by_cpu) == (50.0, 50.0)
    rows[0] = row("simulator", 50_000, server_us=None)
    assert bar(bars_of(rows, []), "simulator").value_by_cpu is None


def test_a_ratio_may_be_told_as_a_multiple() -> None:
    found = bar(bars_of([row("h2load", 50_000), row("hypercorn", 2_000)], []), "hypercorn")
    assert (found.value, found.unit, found.met) == (25.0, "×", True)


def test_a_bar_without_its_rows_is_not_measured_and_not_missed() -> None:
    found = bar(bars_of([row("simulator")], [0.3]), "simulator")
    assert found.value is None and found.met is None


@pytest.mark.parametrize(("start_s", "met"), [([0.4, 0.5, 9.0], True), ([0.51], False), ([], None)])
def test_the_start_is_judged_by_its_median(start_s: list[float], met: bool | None) -> None:
    assert bar(bars_of([], start_s), "start").met is met


def test_costs_have_bars_only_where_they_were_measured() -> None:
    assert {each.name for each in bars_of([], [])}.isdisjoint({"flat", "memory-server", "memory-sender"})
    bars = bars_of([], [], [cost(10_000), cost(1_000_000, 7.5, peak_mb=310.0)])
    assert bar(bars, "flat").met is True and "10,000 to 1,000,000" in bar(bars, "flat").what
    assert bar(bars, "memory-server").met is False and bar(bars, "memory-sender").met is True


def test_cost_is_flat_by_the_dearest_over_the_cheapest_of_both_sides_together() -> None:
    assert cost_spread([cost(1, 7.0), cost(2, 10.0), cost(3, 8.0)]) == pytest.approx(3 / 17)
    assert cost_spread([cost(1, 7.0), cost(2, None)]) is None
    assert cost_spread([]) is None


def test_what_every_campaign_costs_is_taken_off_before_dividing() -> None:
    runs = [run(HANDFUL + 1_000, server_s=0.3 + 0.007, sender_s=0.2 + 0.010)]
    found = cost_of(HANDFUL + 1_000, Campaigns(runs, 0.1), {"server": 0.3, "sender": 0.2})
    assert found.cpu_us == {"server": pytest.approx(7.0), "sender": pytest.approx(10.0)}
    assert cost_of(HANDFUL + 1_000, Campaigns(runs, 0.1), {"server": None, "sender": 0.2}).cpu_us["server"] is None


@pytest.mark.parametrize(
    ("size", "repeats", "runs"), [(1_000, 3, 20), (100_000, 1, 2), (1_000_000, 3, 3), (10**7, 3, 1)]
)
def test_small_campaigns_are_repeated_more_and_large_ones_less_than_asked(size: int, repeats: int, runs: int) -> None:
    assert repeats_of(size, repeats) == runs


@pytest.mark.parametrize(("two_per_s", "met"), [(59_000.0, False), (60_000.0, True)])
def test_two_workers_are_held_against_one(two_per_s: float, met: bool) -> None:
    growth = [row(name_of(WORKERS, 1), 40_000.0), row(name_of(WORKERS, 2), two_per_s)]
    found = bar(bars_of([], [], growth=growth), "workers")
    assert found.met is met and found.unit == "×" and found.value == pytest.approx(two_per_s / 40_000, abs=0.05)


def test_workers_have_no_bar_where_they_were_not_measured_and_no_answer_where_one_was_not_the_limit() -> None:
    assert "workers" not in {each.name for each in bars_of([], [], growth=[row(name_of(WORKERS, 1))])}
    idle = msgspec.structs.replace(row(name_of(WORKERS, 1)), limit="neither")
    assert bar(bars_of([], [], growth=[idle, row(name_of(WORKERS, 2))]), "workers").met is None


def test_the_marks_of_the_workers_bar_are_measured_on_every_machine() -> None:
    assert all({1, 2} <= set(worker_marks(cores)) for cores in (None, 1, 2, 3, 64))


def test_the_ceiling_is_the_slowest_encoding_and_needs_all_of_them() -> None:
    rows = [row("ruler-sender", 90_000), row("encoding-h2", 40_000), row("encoding-nghttp2", 45_000), row("httpx", 600)]
    slowest = ceiling(rows)
    assert slowest is not None and slowest.name == "encoding-h2"
    assert ceiling(rows[1:]) is None
