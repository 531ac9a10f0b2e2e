"""What changed between two reports, and how reports are shown."""

import pytest

from loadtest.bench.bars import bars_of
from loadtest.bench.compare import compare
from loadtest.bench.markdown import comparison_in_markdown, in_markdown
from loadtest.bench.profile_step import Step, account_table
from loadtest.bench.records import Failed, Missing
from tests.loadtest.bench_records import report, row


@pytest.mark.parametrize(
    ("before", "now", "spread", "verdict"),
    [
        (100_000, 120_000, 0.0, "faster"),
        (100_000, 80_000, 0.0, "slower"),
        (100_000, 104_000, 0.0, "same"),  # within the noise that every machine has
        (100_000, 120_000, 0.3, "same"),  # within what the repeats differed by
    ],
)
def test_a_change_counts_when_it_is_more_than_noise(before: float, now: float, spread: float, verdict: str) -> None:
    (change,) = compare(report(row("simulator", before)), report(row("simulator", now, spread=spread))).changes
    assert change.verdict == verdict and change.rate_share == pytest.approx(now / before - 1)
    assert change.beside_yardstick is None


def test_what_the_machine_did_is_cancelled_by_the_bare_work() -> None:
    old = report(row("ruler", 200_000), row("simulator", 100_000))
    new = report(row("ruler", 100_000), row("simulator", 60_000))
    ruler, simulator = compare(old, new).changes
    assert simulator.rate_share == pytest.approx(-0.4)
    assert simulator.beside_yardstick == pytest.approx(0.2) and simulator.verdict == "faster"
    assert ruler.beside_yardstick is None and ruler.verdict == "slower"


def test_cpu_time_is_compared_by_side_where_both_know_it() -> None:
    old = report(row("simulator", server_us=8.0), row("campaign", server_us=None))
    new = report(row("simulator", server_us=6.0), row("campaign"))
    simulator, campaign = compare(old, new).changes
    assert simulator.cpu_share == {"server": -0.25, "sender": 0.0}
    assert campaign.cpu_share["server"] is None


def test_rows_of_one_report_alone_are_named() -> None:
    found = compare(report(row("a"), row("b")), report(row("b"), row("c")))
    assert ([each.name for each in found.changes], found.only_old, found.only_new) == (["b"], ["a"], ["c"])


@pytest.mark.parametrize(("changed", "other"), [({}, False), ({"cores": 8}, True), ({"python": "3.13.0"}, True)])
def test_another_machine_is_told(changed: dict[str, object], other: bool) -> None:
    assert compare(report(), report(**changed)).other_machine is other


def test_markdown_has_a_line_for_each_row_bar_and_thing_left_out() -> None:
    rows = [row("ruler", 200_000), row("simulator", 150_000)]
    text = in_markdown(
        report(
            *rows,
            bars=bars_of(rows, [0.9]),
            missing=[Missing("httpx", "httpx", "pip install it")],
            failed=[Failed("aioapns", "it hung")],
        )
    )
    assert "| simulator → server | 150,000 | 1% | 5.00 | 2.00 | server | 200,000 |" in text
    assert "| ≥ 60 % | 75 % | 100 % | pass |" in text
    assert "| ≤ 0.5 s | 0.9 s |  | MISS |" in text and "by the other side: the bars h2load, " in text
    assert "- Left out: httpx, which needs httpx: pip install it" in text and "- FAILED: aioapns: it hung" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("| ")}
    assert widths == {8, 6}, "every line of a table has all of its cells"


def test_markdown_of_a_comparison_says_what_cannot_be_compared() -> None:
    text = comparison_in_markdown(compare(report(row("simulator")), report(row("simulator"), row("h2"), cores=1)))
    assert "| simulator | 100,000 | 100,000 | +0% | ? | +0% | +0% | same |" in text
    assert "The machines" in text and "Only in the newer report: h2." in text


def test_the_account_ends_with_what_no_function_accounts_for() -> None:
    steps = [Step("server", 0, "read", 2.0), Step("server", 1, "part", 0.5), Step("sender", 0, "fill", 1.5)]
    lines = account_table(steps, row("simulator", server_us=7.0)).lines
    assert ("– read", "2.00") in lines and ("– – part", "0.50") in lines
    rests = [
        cells[1] for cells in account_table(steps, row("simulator", server_us=7.0)).lines if "the rest" in cells[0]
    ]
    assert rests == ["5.00", "0.50"], "parts of parts are not taken off twice"
