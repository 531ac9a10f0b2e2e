"""`pushrig send` over FCM, and over both providers at once: a real simulator, a real store, killed, refused and resumed."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.control_client import ControlClient, PopulationLedger
from loadtest.population import rows
from loadtest.rig_process import RigProcess, RunningRig
from sender.run import UNCOMMITTED_MAX
from sender.store.device_store import DeviceStore
from simulator.devices.draws import parse_fates
from simulator.devices.fates import Fate, Provider
from simulator.devices.mixed_population import MixedPopulation
from tests.end_to_end.test_send_command import wait_for_notifications

DEVICES = 20_000
PAYLOAD = '{"aps":{"alert":"Hello {{name|friend}}"}}'
MESSAGE = '{"notification":{"title":"Hello {{name|friend}}"},"data":{"campaign":"sale"}}'
FATES = ["unregistered=0.02", "wrong-topic=0.01", "other-sender=0.01", "invalid-shape=0.01"]
# Tokens of this fate have no index: the ledger cannot know them.
OUTSIDE = Fate.INVALID_SHAPE


@pytest.fixture(scope="module")
def rig() -> Iterator[RunningRig]:
    with RigProcess(("--limits", "off")) as process:
        yield process.running


@pytest.fixture(scope="module")
def population() -> MixedPopulation:
    return MixedPopulation(4711, DEVICES, "com.example.app", fates=parse_fates(FATES, list(Provider)), ios_share=0.3)


@pytest.fixture
def control(rig: RunningRig, population: MixedPopulation) -> ControlClient:
    client = ControlClient(rig.control_url)
    client.reset()
    client.declare(population.seed, population.count)
    return client


@pytest.fixture
def folder(tmp_path: Path, population: MixedPopulation) -> Path:
    with DeviceStore.open(tmp_path / "devices.db", create=True) as store:
        store.import_rows(rows(population))
    (tmp_path / "sale.json").write_text(PAYLOAD)
    (tmp_path / "fcm.json").write_text(MESSAGE)
    return tmp_path


def of_apns(rig: RunningRig, folder: Path) -> dict[str, str]:
    return {
        "--payload": str(folder / "sale.json"),
        "--endpoint": rig.url,
        "--key-file": rig.key_file,
        "--key-id": rig.key_id,
        "--team-id": rig.team_id,
    }


def of_fcm(rig: RunningRig, folder: Path) -> dict[str, str]:
    return {
        "--message": str(folder / "fcm.json"),
        "--fcm-endpoint": rig.url,
        "--service-account": rig.service_account_file,
    }


def command(rig: RunningRig, folder: Path, options: dict[str, str]) -> list[str]:
    given = {
        "--store": str(folder / "devices.db"),
        "--topic": "com.example.app",
        "--ca-file": rig.ca_file,
        "--campaign": "sale",
        **options,
    }
    return [sys.executable, "-P", "-m", "pushrig", "send", *(part for item in given.items() for part in item), "--json"]


def send(rig: RunningRig, folder: Path, options: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(rig, folder, options), capture_output=True, text=True, timeout=60, check=False)


def ledger_of(control: ControlClient, population: MixedPopulation) -> PopulationLedger:
    (view,) = control.ledger(seed=population.seed).populations
    return view


def counts(population: MixedPopulation, provider: Provider) -> dict[Fate, int]:
    found = dict.fromkeys(Fate, 0)
    for minted, of in zip(population.mint_range(), population.providers(), strict=True):
        if of is provider:
            found[minted.fate] += 1
    return found


def test_a_mixed_store_is_one_campaign_over_both_providers(
    rig: RunningRig, folder: Path, population: MixedPopulation, control: ControlClient
) -> None:
    both = {**of_apns(rig, folder), **of_fcm(rig, folder)}
    done = send(rig, folder, both)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    apns, fcm = counts(population, Provider.APNS), counts(population, Provider.FCM)
    active = apns[Fate.ACTIVE] + fcm[Fate.ACTIVE]
    view = ledger_of(control, population)
    assert (view.accepted_once, view.accepted_more, view.never) == (active, 0, fcm[OUTSIDE])
    assert report["accepted"] == active and report["sent"] == DEVICES
    assert report["providers"]["apns"]["rejected"] == {
        "Unregistered": apns[Fate.UNREGISTERED],
        "DeviceTokenNotForTopic": apns[Fate.WRONG_TOPIC],
    }
    assert report["providers"]["fcm"]["rejected"] == {
        "UNREGISTERED": fcm[Fate.UNREGISTERED],
        "SENDER_ID_MISMATCH": fcm[Fate.OTHER_SENDER],
        "INVALID_ARGUMENT": fcm[OUTSIDE],
    }
    # Another project's token is good for another credential: it is kept.
    kept = fcm[Fate.OTHER_SENDER]
    assert report["invalidated"] == DEVICES - active - kept
    with DeviceStore.open(folder / "devices.db") as store:
        assert store.counts().valid == active + kept
    assert control.stats().counters.google_calls == {"token": 1}

    again = send(rig, folder, both)
    assert again.returncode == 2 and "--campaign" in again.stderr, "a finished campaign is not sent a second time"
    second = send(rig, folder, {**both, "--campaign": "second"})
    assert second.returncode == 0, second.stderr
    assert json.loads(second.stdout)["rejected"] == {"SENDER_ID_MISMATCH": kept}


def test_the_files_that_are_given_decide_who_takes_part(
    rig: RunningRig, folder: Path, population: MixedPopulation, control: ControlClient
) -> None:
    fcm = counts(population, Provider.FCM)
    done = send(rig, folder, of_fcm(rig, folder))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sent"] == sum(fcm.values())
    assert ledger_of(control, population).accepted_once == fcm[Fate.ACTIVE]
    # The other provider can join later: the part that is finished stays so.
    joined = send(rig, folder, {**of_apns(rig, folder), **of_fcm(rig, folder)})
    assert joined.returncode == 0, joined.stderr
    assert list(json.loads(joined.stdout)["providers"]) == ["apns"]
    assert ledger_of(control, population).accepted_more == 0


def test_a_store_without_devices_of_a_provider_is_no_error(
    rig: RunningRig, tmp_path: Path, control: ControlClient
) -> None:
    with DeviceStore.open(tmp_path / "devices.db", create=True) as store:
        store.import_rows([])
    (tmp_path / "sale.json").write_text(PAYLOAD)
    (tmp_path / "fcm.json").write_text(MESSAGE)
    done = send(rig, tmp_path, {**of_apns(rig, tmp_path), **of_fcm(rig, tmp_path)})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sent"] == 0
    assert control.stats().counters.google_calls == {}, "no access token is fetched for nobody"


def test_kill_9_of_both_loses_nothing_and_repeats_at_most_what_was_in_flight(
    rig: RunningRig, folder: Path, population: MixedPopulation, control: ControlClient
) -> None:
    both = {**of_apns(rig, folder), **of_fcm(rig, folder)}
    seen = 0
    for part in (2_000, 3_000):
        seen += part
        # Slow enough that it is killed with work in hand.
        killed = subprocess.Popen(
            command(rig, folder, {**both, "--rate": "10000"}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for_notifications(rig, seen)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        seen = control.stats().counters.notifications
    done = send(rig, folder, both)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    active = population.fate_counts()[Fate.ACTIVE]
    view = ledger_of(control, population)
    assert view.accepted_once + view.accepted_more == active
    assert view.accepted_more <= 2 * UNCOMMITTED_MAX and 0 < report["uncertain"] <= UNCOMMITTED_MAX
    assert report["run"] == 3 and report["finished"]
    assert report["all_runs"]["accepted"] == active


def test_a_fault_of_the_message_stops_fcm_early_with_the_field_at_fault_and_apns_goes_on(
    rig: RunningRig, folder: Path, population: MixedPopulation, control: ControlClient
) -> None:
    (folder / "fcm.json").write_text('{"notification":{"title":"x"},"android":{"ttl":"soon","colour":"red"}}')
    done = send(rig, folder, {**of_apns(rig, folder), **of_fcm(rig, folder)})
    assert done.returncode == 4
    report = json.loads(done.stdout)
    fcm = report["providers"]["fcm"]
    assert "message.android" in fcm["stopped"] and "colour" in fcm["stopped"]
    assert done.stderr.startswith("pushrig send: stopped: fcm: the provider answered 400 INVALID_ARGUMENT")
    assert (fcm["rejected"], fcm["invalidated"], fcm["accepted"]) == ({}, 0, 0)
    assert fcm["sent"] <= 4 * 100 and fcm["remaining"] == sum(counts(population, Provider.FCM).values())
    assert report["providers"]["apns"]["stopped"] is None and report["providers"]["apns"]["finished"]


def an_hour_passes(rig: RunningRig) -> None:
    connection = http.client.HTTPConnection("localhost", rig.control_port, timeout=10)
    body = json.dumps({"advance_ms": 3_700_000})
    connection.request("PUT", "/api/v1/clock", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


def test_an_access_token_that_dies_on_the_way_is_renewed_and_nothing_lost(
    rig: RunningRig, folder: Path, population: MixedPopulation, control: ControlClient
) -> None:
    running = subprocess.Popen(
        command(rig, folder, {**of_fcm(rig, folder), "--rate": "5000"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_notifications(rig, 1_000)
    an_hour_passes(rig)
    output, complaints = running.communicate(timeout=60)
    assert running.returncode == 0, complaints
    view = ledger_of(control, population)
    assert (view.accepted_once, view.accepted_more) == (counts(population, Provider.FCM)[Fate.ACTIVE], 0)
    assert control.stats().counters.google_calls == {"token": 2}
    assert json.loads(output)["retried"] > 0


SPOILED = [
    ("--message", "none.json", "No such file"),
    ("--service-account", "none.json", "No such file"),
    ("--project", "Not A Project", "project"),
    ("--fcm-endpoint", "localhost", "https://HOST"),
    ("--ca-file", "none.pem", "cannot be used"),
    ("--key-id", "ABCDE12345", "--key-id is for APNs"),
    ("--push-type", "alert", "--push-type is for APNs"),
]


@pytest.mark.parametrize(("option", "value", "told"), SPOILED)
def test_each_option_spoiled_is_named_with_exit_code_2(
    rig: RunningRig, folder: Path, option: str, value: str, told: str
) -> None:
    before = (folder / "devices.db").read_bytes()
    done = send(rig, folder, {**of_fcm(rig, folder), option: value})
    assert done.returncode == 2, done.stderr
    assert told in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == "" and (folder / "devices.db").read_bytes() == before


def test_a_message_with_a_target_is_refused_before_anything_begins(rig: RunningRig, folder: Path) -> None:
    (folder / "fcm.json").write_text('{"topic":"news"}')
    done = send(rig, folder, of_fcm(rig, folder))
    assert done.returncode == 2 and "`topic`" in done.stderr


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("--message", "nothing to send"),
        ("--service-account", "GOOGLE_APPLICATION_CREDENTIALS"),
    ],
)
def test_what_is_needed_and_missing_is_named(rig: RunningRig, folder: Path, missing: str, told: str) -> None:
    options = of_fcm(rig, folder)
    del options[missing]
    if missing == "--message":
        options = {}
    environment = {name: value for name, value in os.environ.items() if name != "GOOGLE_APPLICATION_CREDENTIALS"}
    done = subprocess.run(
        command(rig, folder, options), capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 2 and told in done.stderr


def test_another_project_than_the_service_accounts_ends_the_campaign(rig: RunningRig, folder: Path) -> None:
    done = send(rig, folder, {**of_fcm(rig, folder), "--project": "another-project"})
    assert done.returncode == 4 and "403 PERMISSION_DENIED" in done.stderr
    assert "Permission 'cloudmessaging.messages.create' denied" in done.stderr


def test_an_unknown_service_account_ends_the_campaign_before_anything_is_sent(
    rig: RunningRig, folder: Path, control: ControlClient
) -> None:
    account = json.loads(Path(rig.service_account_file).read_bytes())
    (folder / "other.json").write_text(json.dumps(account | {"client_email": "nobody@shop.test"}))
    done = send(rig, folder, {**of_fcm(rig, folder), "--service-account": str(folder / "other.json")})
    assert done.returncode == 4 and "Invalid grant: account not found" in done.stderr
    assert json.loads(done.stdout)["sent"] == 0 and control.stats().counters.notifications == 0
