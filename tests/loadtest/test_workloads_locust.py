"""Workloads through the stock `locust` command: chosen by its own means, counted in its tables, true by the ledger."""

import json
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from loadtest.control_client import ControlClient, PopulationLedger
from loadtest.rig_process import WITHOUT_LIMITS, RigProcess
from loadtest.tally import Tally
from tests.loadtest.test_load_locust import ROOT, command, environment, fetch, ledger, locust

DEVICES = 2_000


@pytest.fixture(scope="module")
def rig() -> Iterator[RigProcess]:
    with RigProcess(WITHOUT_LIMITS) as started:
        yield started


class Played(NamedTuple):
    """One run: what Locust said, counted and showed (rows by method and name), and what the ledger knows."""

    done: subprocess.CompletedProcess[str]
    tally: Tally
    rows: dict[tuple[str, str], tuple[int, int]]
    ledger: PopulationLedger


_seeds = iter(range(3_000, 4_000))


def play(rig: RigProcess, folder: Path, *arguments: str, devices: int = DEVICES, users: int = 2) -> Played:
    control, seed = ControlClient(rig.running.control_url), next(_seeds)
    control.declare(seed, devices)
    result = folder / "result.json"
    done = locust(
        rig, "--users", str(users), "--spawn-rate", str(users), "--devices", str(devices), "--seed", str(seed),
        "--batch-size", "200", "--json", "--result-file", str(result), *arguments,
    )  # fmt: skip
    outcome = json.loads(result.read_bytes())
    rows = {
        (row["method"], row["name"]): (row["num_requests"], row["num_failures"])
        for row in json.loads(done.stdout or "[]")
    }
    rows["", "Aggregated"] = outcome["locust_requests"], outcome["locust_failures"]
    tally = msgspec.convert(outcome["tally"], Tally, strict=False)
    return Played(done, tally, rows, ledger(control, seed))


def each_once(found: PopulationLedger, devices: int = DEVICES) -> bool:
    return (found.accepted_once + found.rejected, found.accepted_more, found.never) == (devices, 0, 0)


def test_without_a_choice_only_the_ordinary_user_runs(rig: RigProcess, tmp_path: Path) -> None:
    played = play(rig, tmp_path, "--exclude-tags", "bad-sender")
    assert played.done.returncode == 0, played.done.stderr
    assert set(played.rows) == {("APNS", "notification"), ("APNS", "batch"), ("", "Aggregated")}
    assert '{"PushUser": 2}' in played.done.stderr


def test_payloads_of_the_largest_size_are_taken(rig: RigProcess, tmp_path: Path) -> None:
    control = ControlClient(rig.running.control_url)
    before = control.stats().counters.bytes_in
    arguments = ("PayloadSizesUser", "--payload-bytes", "max", "--provider", "both", "--ios", "0.2")
    played = play(rig, tmp_path, *arguments)
    assert played.done.returncode == 0, played.done.stderr
    assert each_once(played.ledger) and played.ledger.rejected == 0
    assert control.stats().counters.bytes_in - before > DEVICES * 4_096
    assert sum(count for (_, name), (count, _) in played.rows.items() if name == "payload-sizes") == DEVICES
    assert played.rows["", "Aggregated"][0] == DEVICES


def test_a_wave_is_chosen_by_its_tag_and_its_rejections_are_explained(rig: RigProcess, tmp_path: Path) -> None:
    played = play(rig, tmp_path, "--tags", "uninstall-wave", "--provider", "both", "--dead-to", "0.5")
    assert played.done.returncode == 0, played.done.stderr
    assert each_once(played.ledger)
    assert played.ledger.rejected == sum(played.tally.rejected.values()) == pytest.approx(DEVICES / 4, abs=120)


def test_a_wave_can_be_scheduled(rig: RigProcess, tmp_path: Path) -> None:
    played = play(rig, tmp_path, "UninstallWaveUser", "--load-profile", "steady:rate=4k", "--dead-to", "1")
    assert played.done.returncode == 0, played.done.stderr
    assert each_once(played.ledger)
    assert played.ledger.rejected == pytest.approx(DEVICES / 2, abs=120)


def test_good_and_bad_senders_share_the_devices_and_have_figures_of_their_own(rig: RigProcess, tmp_path: Path) -> None:
    control = ControlClient(rig.running.control_url)
    before = control.stats().counters.connections_total
    played = play(rig, tmp_path, "PushUser", "BadSenderUser", "--fate", "unregistered=0.1")
    assert played.done.returncode == 0, played.done.stderr
    assert each_once(played.ledger)
    good, bad = played.tally.parts["push"], played.tally.parts["bad-sender"]
    assert good.settled + bad.settled == DEVICES
    assert (good.retried, bad.retried) == (0, bad.rejected["Unregistered"])
    # The bad one connects anew for each batch of 200.
    assert control.stats().counters.connections_total - before == 1 + bad.settled / 200
    # The dead ones of the bad sender were asked for twice.
    assert played.ledger.answers_by_reason["Unregistered"] == played.ledger.rejected + bad.retried
    assert played.rows["APNS", "bad-sender"] == (bad.settled, bad.rejected["Unregistered"])
    assert played.rows["APNS", "notification"] == (DEVICES, played.ledger.rejected)
    assert played.rows["", "Aggregated"] == (DEVICES, played.ledger.rejected)


def test_a_provider_token_for_each_connection_is_no_offence(rig: RigProcess, tmp_path: Path) -> None:
    played = play(rig, tmp_path, "TokenRotationUser", "--provider", "both")
    assert played.done.returncode == 0, played.done.stderr
    assert each_once(played.ledger) and played.ledger.rejected == 0


def test_provider_tokens_that_change_too_often_are_answered_429(rig: RigProcess, tmp_path: Path) -> None:
    arguments = ("TokenRotationUser", "--rotate-token", "batch", "--batch-size", "50")
    played = play(rig, tmp_path, *arguments, devices=100, users=1)
    assert played.done.returncode == 1
    assert played.ledger.answers_by_reason.keys() == {"TooManyProviderTokenUpdates"}
    assert played.tally.given_up == {"429 TooManyProviderTokenUpdates": played.ledger.rejected}
    assert "have no final answer" in played.done.stderr


def test_steps_of_connections_and_streams_have_figures_of_their_own(rig: RigProcess, tmp_path: Path) -> None:
    control = ControlClient(rig.running.control_url)
    before = control.stats().counters.connections_total
    played = play(rig, tmp_path, "ConnectionStepsUser", "--connection-steps", "1x1000,3x10", users=1)
    assert played.done.returncode == 0, played.done.stderr
    assert each_once(played.ledger)
    assert {name: count for (_, name), (count, _) in played.rows.items() if "x" in name} == {
        "1x1000": 1_000,
        "3x10": 1_000,
    }
    assert {name: part.accepted for name, part in played.tally.parts.items()} == {"1x1000": 1_000, "3x10": 1_000}
    assert control.stats().counters.connections_total - before == 1 + 3
    assert max(played.tally.parts["1x1000"].latency_ms) > 0


@pytest.mark.parametrize("feedback", ["on", "off"])
def test_the_invalid_share_falls_from_campaign_to_campaign_with_feedback_alone(
    rig: RigProcess, tmp_path: Path, feedback: str
) -> None:
    arguments = ("CampaignsUser", "--feedback", feedback, "--fate", "unregistered=0.2", "--uninstalls", "0.05")
    played = play(rig, tmp_path, *arguments, "--provider", "both")
    assert played.done.returncode == 0, played.done.stderr
    first, second, third = (played.tally.parts[f"campaign {number}"] for number in (1, 2, 3))
    invalid = [sum(part.rejected.values()) for part in (first, second, third)]
    assert first.settled == DEVICES
    assert invalid[0] == played.ledger.rejected == pytest.approx(DEVICES * 0.2, abs=70)
    if feedback == "on":
        assert second.settled == DEVICES - invalid[0]
        assert third.settled == second.settled - invalid[1]
        assert max(invalid[1:]) == pytest.approx(DEVICES * 0.05, abs=40)
        assert f"campaign 2: {second.settled:,} notifications, {invalid[1]:,} rejected" in played.done.stderr
    else:
        assert second.settled == third.settled == DEVICES
        assert invalid[0] < invalid[1] < invalid[2]
    # The first campaign is what the ledger knows of devices; the others come on top.
    assert played.tally.devices == DEVICES
    assert played.ledger.accepted_once + played.ledger.accepted_more == first.accepted
    assert played.ledger.accepted_more == second.accepted
    assert played.rows["", "Aggregated"][0] == sum(part.settled for part in (first, second, third))


def test_topics_and_conditions_reach_each_device_once(rig: RigProcess, tmp_path: Path) -> None:
    control = ControlClient(rig.running.control_url)
    before = control.stats().counters.notifications
    fates = ("--fate", "other-sender=0.1", "--fate", "invalid-shape=0.05", "--fate", "unregistered=0.1")
    played = play(rig, tmp_path, "TopicsUser", "--provider", "fcm", "--ios", "0.2", *fates)
    assert played.done.returncode == 0, played.done.stderr
    tally = played.tally
    assert set(tally.rejected) == {
        f"subscribe: {each}" for each in ("NOT_FOUND", "PERMISSION_DENIED", "INVALID_ARGUMENT")
    }
    assert tally.devices == DEVICES
    assert (tally.sent, tally.batches) == (DEVICES / 200, DEVICES / 200)
    assert tally.parts["topic"].settled == tally.parts["condition"].settled == DEVICES / 2
    # Who cannot follow a topic is never sent to. FCM delivers when it has answered already.
    deadline_s = time.monotonic() + 30
    while (found := ledger(control, played.ledger.seed)).accepted_once != tally.accepted:
        assert time.monotonic() < deadline_s, found
    never = sum(tally.rejected.values())
    assert (found.accepted_more, found.rejected, found.never) == (0, 0, never)
    assert tally.outside_ledger == never - tally.rejected["subscribe: INVALID_ARGUMENT"]
    assert played.rows["FCM", "subscribe"] == (15, 0)  # a condition has two topics
    assert played.rows["", "Aggregated"] == (DEVICES, never)
    assert control.stats().counters.notifications - before == tally.sent


def test_the_web_page_has_the_options_and_lets_one_choose_a_workload(rig: RigProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url, seed = f"http://127.0.0.1:{port}", next(_seeds)
    process = subprocess.Popen(
        command("--web-host", "127.0.0.1", "--web-port", str(port), "--class-picker"),
        cwd=ROOT, env=environment(rig), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        shown = fetch(f"{url}/").decode().partition("window.templateArgs = ")[2]
        page = json.JSONDecoder().raw_decode(shown)[0]
        options = page["extra_options"]
        assert {"devices", "load_profile", "dead_to", "payload_bytes", "topic_target", "bad_habits"} <= set(options)
        assert "result_file" not in options
        assert options["topic_target"]["choices"] == ["topic", "condition", "both"]
        assert "UninstallWaveUser" in options["dead_to"]["help_text"]
        assert {"PushUser", "TopicsUser", "UninstallWaveUser"} <= set(page["available_user_classes"])
        # As a browser sends the form: all of it, as text.
        form = {name: option["default_value"] for name, option in options.items()}
        form |= {"user_count": 2, "spawn_rate": 2, "devices": DEVICES, "seed": seed, "dead_to": 1.0}
        body = urllib.parse.urlencode(form | {"user_classes": "UninstallWaveUser"}).encode()
        assert json.loads(fetch(f"{url}/swarm", body))["success"]
        deadline_s = time.monotonic() + 60
        while (statistics := json.loads(fetch(f"{url}/stats/requests")))["state"] != "stopped":
            assert time.monotonic() < deadline_s, statistics
        found = ledger(ControlClient(rig.running.control_url), seed)
        counted = {row["name"]: (row["num_requests"], row["num_failures"]) for row in statistics["stats"]}
        assert counted["uninstall-wave"] == counted["notification"] == (DEVICES, found.rejected)
        assert found.rejected == pytest.approx(DEVICES / 2, abs=120)
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--tags", "nobody"), "--tags, --exclude-tags: no user has what they leave: nobody"),
        (("UninstallWaveUser", "--dead-to", "1.1"), "--dead-to: must be a share from 0 to 1, not 1.1"),
        (
            ("CampaignsUser", "--load-profile", "steady:rate=100"),
            "--load-profile: CampaignsUser sends batch after batch",
        ),
        (
            ("BadSenderUser", "--load-profile", "steady:rate=100"),
            "--bad-habits: reconnect: needs batch after batch: give it without --load-profile",
        ),
        (("ConnectionStepsUser", "--connection-steps", "1x1000,2y5"), "--connection-steps: cannot read '2y5'"),
        (("ConnectionStepsUser", "--connection-steps", "1x1001"), "--connection-steps: 1x1001: a user has 1 to"),
        (("CampaignsUser", "--campaigns", "33"), "--campaigns: must be from 1 to 32, not 33"),
        (("TokenRotationUser", "--rotate-token", "0"), "--rotate-token: must be connection, batch, or seconds above 0"),
    ],
)
def test_bad_options_end_before_anything_is_sent(rig: RigProcess, arguments: tuple[str, ...], says: str) -> None:
    done = locust(rig, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
