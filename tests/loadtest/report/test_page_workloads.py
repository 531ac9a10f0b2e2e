"""The page where workloads sent: a row for each, everything escaped, bounded, and no device counted twice on its way."""

import msgspec

from loadtest.report.page import html_page
from loadtest.report.page_workloads import PARTS_MAX
from loadtest.report.results_directory import Results
from loadtest.report.run_record import PartRecord, RunRecord
from tests.loadtest.report.result_records import results, run_record
from tests.loadtest.report.test_page import Page


def part(**changed: object) -> PartRecord:
    valid = PartRecord(
        notifications=1_000,
        sent=1_020,
        accepted=900,
        rejected={"Unregistered": 100},
        given_up={},
        retried=20,
        rate_per_s=5_000.0,
        latency_ms={"p50": 5.0, "p99": 41.0},
    )
    return msgspec.structs.replace(valid, **changed)


def shown(run: RunRecord) -> str:
    whole = results()
    return Page(html_page(Results(run, whole.series, whole.histograms))).text


def test_each_part_is_a_row_with_its_figures() -> None:
    page = shown(run_record(workloads=["campaigns"], parts={"campaign <1>": part(), "campaign 2": part(latency_ms={})}))
    assert "campaign <1> 1,000 5,000 900 100, 10 % 20 5 ms 41 ms campaign 2 1,000 5,000 900" in page
    assert "Users: campaigns." in page


def test_ordinary_users_need_no_rows() -> None:
    assert "Workloads" not in shown(run_record())


def test_many_parts_do_not_make_an_endless_page() -> None:
    page = shown(run_record(parts={f"step {number}": part() for number in range(PARTS_MAX + 3)}))
    assert f"step {PARTS_MAX - 1} " in page
    assert f"step {PARTS_MAX} " not in page
    assert "And 3 more." in page


def test_a_device_that_is_sent_to_again_is_answered_once_on_its_way() -> None:
    run = run_record(devices=100, accepted=170, rejected={"Unregistered": 20}, further_accepted=80, further_rejected=10)
    run = msgspec.structs.replace(run, parts={"campaign 1": part()})
    page = shown(run)
    assert "answered for good 100, 100 % accepted 90, 90 %" in page
    assert "the first counts" in page
