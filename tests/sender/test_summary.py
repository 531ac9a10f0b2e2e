"""The report of a run as its user sees it, over one provider and over both."""

from collections import Counter

import msgspec
import pytest
from rich.console import Console

from sender.campaign_report import ProviderReport, report_of_campaign
from sender.summary import report_table
from tests.sender.scripted_provider import delivery, fcm_delivery

APNS = ProviderReport(
    run=1, sent=10, accepted=7, rejected={"Unregistered": 2, "[bold]\x1b[31m": 1}, retried=1, given_up=0, unprocessed=0,
    uncertain=3, invalidated=2, remaining=0, finished=True, stopped=None, latency_ms={"p50": 4.0},
    all_runs={"accepted": 7, "rejected": 3, "given_up": 0},
)  # fmt: skip
FCM = msgspec.structs.replace(
    APNS, run=2, sent=5, accepted=4, rejected={"UNREGISTERED": 1}, remaining=6, finished=False, latency_ms={"p50": 9.0},
    all_runs={"accepted": 40, "rejected": 10, "given_up": 1},
)  # fmt: skip


def shown(providers: dict[str, ProviderReport]) -> list[list[str]]:
    deliveries = [delivery(), fcm_delivery()]
    deliveries[0].counts.latency_ms = Counter({4: 7})
    deliveries[1].counts.latency_ms = Counter({9: 4})
    report = report_of_campaign("sale", providers, deliveries[: len(providers)], 2.0)
    console = Console(width=200)
    with console.capture() as captured:
        console.print(report_table(report))
    return [line.split() for line in captured.get().splitlines()]


def test_both_providers_stand_beside_each_other_and_their_sum() -> None:
    lines = shown({"apns": APNS, "fcm": FCM})
    for row in (
        ["APNs", "FCM", "in", "all"],
        ["sent", "10", "5", "15"],
        ["rejected:", "Unregistered", "2", "2"],
        ["rejected:", "UNREGISTERED", "1", "1"],
        ["still", "due", "0", "6", "6"],
        ["accepted,", "in", "all", "runs", "7", "40", "47"],
        ["answer", "time", "p50", "4", "ms", "9", "ms", "4", "ms"],
        ["notifications", "per", "second", "8"],
    ):
        assert row in lines, row


def test_one_provider_needs_no_sum() -> None:
    lines = shown({"apns": APNS})
    assert ["sent", "10"] in lines and ["APNs"] in lines
    assert not any("in all runs" in " ".join(line) for line in lines)


def test_words_of_the_network_are_shown_and_not_obeyed() -> None:
    assert ["rejected:", "[bold]\\x1b[31m", "1"] in shown({"apns": APNS})


@pytest.mark.parametrize(
    ("apns", "fcm", "told"),
    [
        (None, None, None),
        ("interrupted", "interrupted", "interrupted"),
        (None, "a fault", "fcm: a fault"),
        ("one", "other", "apns: one; fcm: other"),
    ],
)
def test_why_a_run_ended_early_names_the_provider_where_they_differ(
    apns: str | None, fcm: str | None, told: str | None
) -> None:
    providers = {
        "apns": msgspec.structs.replace(APNS, stopped=apns),
        "fcm": msgspec.structs.replace(FCM, stopped=fcm),
    }
    report = report_of_campaign("sale", providers, [], 1.0)
    assert report.stopped == told
    assert (report.run, report.finished, report.sent, report.rejected["Unregistered"]) == (2, False, 15, 2)


def test_of_one_provider_the_reason_stands_alone() -> None:
    report = report_of_campaign("sale", {"fcm": msgspec.structs.replace(FCM, stopped="a fault")}, [], 1.0)
    assert report.stopped == "a fault"
