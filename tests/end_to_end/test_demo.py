"""`pushrig demo` as its user starts it, on a small scale."""

import json
import subprocess
import sys

import pytest

from loadtest.demo import DemoReport, SecondCampaign, bottleneck, failures
from loadtest.load_report import LedgerFigures
from sender.campaign_report import CampaignReport

DEMO_FIELDS = {
    "devices",
    "sent",
    "accepted",
    "rejected",
    "retried",
    "elapsed_s",
    "rate_per_s",
    "invalidated",
    "ledger",
    "second_campaign",
    "peak_rss_mb",
}


def pushrig(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "pushrig", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_the_demo_proves_itself_by_the_ledger() -> None:
    done = pushrig("demo", "--devices", "5000", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report.keys() >= DEMO_FIELDS and report["failures"] == []
    dead = report["dead"]
    assert report["devices"] == report["sent"] == 5000
    assert report["ledger"] == {"accepted_once": 5000 - dead, "accepted_more": 0, "rejected": dead, "never": 0}
    assert 0 < dead == report["invalidated"] == sum(report["rejected"].values())
    reasons = {"Unregistered", "DeviceTokenNotForTopic", "ExpiredToken", "BadDeviceToken"}
    assert set(report["rejected"]) == {*reasons, "UNREGISTERED"}
    assert set(report["providers"]["apns"]["rejected"]) == reasons
    assert set(report["providers"]["fcm"]["rejected"]) == {"UNREGISTERED"}
    assert min(report["providers"][name]["accepted"] for name in ("apns", "fcm")) > 2_000
    assert report["limits"] == "off"
    assert report["second_campaign"]["sent"] == 5000 - dead and report["second_campaign"]["rejected"] == 0


def test_the_demo_tells_a_person_what_happened_and_what_to_try_next() -> None:
    done = pushrig("demo", "--devices", "1000")
    assert done.returncode == 0, done.stderr
    assert "Every active device got each notification once" in done.stdout
    assert "--limits off" in done.stderr
    for word in ("APNs", "FCM", "accepted once", "Unregistered", "UNREGISTERED", "pushrig serve", "pushrig load"):
        assert word in done.stdout


@pytest.mark.parametrize(
    "arguments", [("--devices", "0"), ("--devices", "x"), ("--connections", "65"), ("--seed", "-1")]
)
def test_bad_options_of_the_demo_are_named(arguments: tuple[str, str]) -> None:
    done = pushrig("demo", *arguments)
    assert done.returncode == 2 and arguments[0] in done.stderr and "Traceback" not in done.stderr


def campaign_report(**changed: object) -> CampaignReport:
    fields: dict[str, object] = {
        "campaign": "x", "run": 1, "sent": 100, "accepted": 97, "rejected": {}, "retried": 0, "given_up": 0,
        "unprocessed": 0, "uncertain": 0, "invalidated": 3, "remaining": 0, "finished": True, "stopped": None,
        "elapsed_s": 1.0, "rate_per_s": 100.0, "latency_ms": {}, "all_runs": {}, "providers": {},
    }  # fmt: skip
    return CampaignReport(**{**fields, **changed})  # type: ignore[arg-type]


def demo_report(**changed: object) -> DemoReport:
    second = SecondCampaign(97, 0, 1.0, LedgerFigures(97, 0, 0, 3))
    fields: dict[str, object] = {
        "devices": 100, "dead": 3, "minting_s": 1.0, "sent": 100, "accepted": 97, "rejected": {}, "retried": 0,
        "elapsed_s": 1.0, "rate_per_s": 1.0, "latency_ms": {}, "invalidated": 3, "wrongly_invalidated": 0,
        "ledger": LedgerFigures(97, 0, 3, 0), "second_campaign": second, "cpu_s": {}, "bottleneck": "neither",
        "peak_rss_mb": 1.0, "peak_rss_mb_by_process": {}, "failures": [], "providers": {}, "limits": "off",
    }  # fmt: skip
    return DemoReport(**{**fields, **changed})  # type: ignore[arg-type]


def test_a_good_run_has_no_failures() -> None:
    assert failures(demo_report(), campaign_report(), campaign_report()) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"ledger": LedgerFigures(96, 1, 3, 0)}, "more than once"),
        ({"ledger": LedgerFigures(96, 0, 3, 1)}, "never asked for"),
        ({"invalidated": 2}, "2 of 3 dead tokens"),
        ({"wrongly_invalidated": 1}, "1 good tokens"),
        ({"second_campaign": SecondCampaign(98, 1, 1.0, LedgerFigures(97, 0, 1, 2))}, "met 1 dead"),
        ({"second_campaign": SecondCampaign(97, 0, 1.0, LedgerFigures(96, 0, 0, 4))}, "second round"),
    ],
)
def test_each_thing_that_goes_wrong_is_told(changed: dict[str, object], told: str) -> None:
    assert any(told in failure for failure in failures(demo_report(**changed), campaign_report(), campaign_report()))


def test_what_stays_due_is_a_failure() -> None:
    assert failures(demo_report(), campaign_report(remaining=1), campaign_report()) == ["notifications stayed due"]


@pytest.mark.parametrize(
    ("cpu_s", "limit"),
    [
        ({"simulator": 0.95, "sender": 0.5}, "simulator"),
        ({"simulator": 0.5, "sender": 1.1}, "sender"),
        ({"simulator": 0.5, "sender": 0.5}, "neither"),
        ({"simulator": None, "sender": None}, "unknown"),
    ],
)
def test_the_side_without_time_to_spare_is_the_limit(cpu_s: dict[str, float | None], limit: str) -> None:
    assert bottleneck(cpu_s, 1.0) == limit
