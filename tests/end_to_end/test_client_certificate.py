"""Senders with a client certificate, as their users start them, over a simulator as its users start it."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from aioapns import APNs, NotificationRequest
from aioapns.connection import APNsProductionClientProtocol

from loadtest.population import rows
from loadtest.rig_process import RigProcess, RunningRig
from sender.store.device_store import DeviceStore
from simulator.devices.token_space import Environment, Population, parse_fates
from tests.end_to_end.client_certificates import DEVELOPMENT_OID, NULL, self_signed

DEVICES = 3_000
TIMEOUT_S = 60.0
TOPICS = ("com.example.shop", "com.example.app")


@pytest.fixture(scope="module")
def rig() -> Iterator[RunningRig]:
    with RigProcess([part for topic in TOPICS for part in ("--topic", topic)]) as process:
        yield process.running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a store of devices, of which some are dead, and a payload."""
    population = Population(7, DEVICES, "com.example.app", Environment.PRODUCTION, parse_fates(["unregistered=0.1"]))
    with DeviceStore.open(tmp_path / "devices.db", create=True) as store:
        store.import_rows(rows(population))
    (tmp_path / "sale.json").write_text('{"aps":{"alert":"Hello"}}')
    return tmp_path


def _pushrig(*arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("APNS_", "PUSHRIG_"))}
    return subprocess.run(
        [sys.executable, "-P", "-m", "pushrig", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**variables, **(environ or {})},
        check=False,
    )


def _send(
    folder: Path, rig: RunningRig, *credential: str, environ: Mapping[str, str] | None = None, url: str | None = None
) -> subprocess.CompletedProcess[str]:
    files = ("--store", str(folder / "devices.db"), "--payload", str(folder / "sale.json"), "--ca-file", rig.ca_file)
    where = ("--topic", "com.example.app", "--endpoint", rig.url if url is None else url)
    return _pushrig("send", *files, *where, *credential, "--json", environ=environ)


def _environ(rig: RunningRig) -> dict[str, str]:
    """What `pushrig env` exports."""
    printed = _pushrig("env", "--state-dir", rig.state_dir, "--format", "json")
    variables: dict[str, str] = json.loads(printed.stdout)
    return variables


def test_a_campaign_goes_out_with_a_client_certificate(rig: RunningRig, folder: Path) -> None:
    environ = _environ(rig)
    # A key in the environment, and a bad one, does not matter once a certificate is named.
    sent = _send(folder, rig, "--cert-file", environ["APNS_CERT_FILE"], environ={**environ, "APNS_KEY_FILE": "none.p8"})
    assert sent.returncode == 0, sent.stderr
    report = json.loads(sent.stdout)
    assert report["finished"]
    assert set(report["rejected"]) == {"Unregistered"}
    assert report["accepted"] + report["rejected"]["Unregistered"] == DEVICES


def test_key_and_certificate_from_the_environment_alone_send_with_the_key(rig: RunningRig, folder: Path) -> None:
    environ = _environ(rig)
    assert {"APNS_KEY_FILE", "APNS_CERT_FILE", "APNS_CERT_KEY_FILE"} <= set(environ)
    sent = _send(folder, rig, environ={**environ, "APNS_CERT_FILE": "none.pem"})
    assert sent.returncode == 0, sent.stderr


def test_a_certificate_and_its_key_may_share_a_file(rig: RunningRig, folder: Path) -> None:
    both = folder / "both.pem"
    both.write_bytes(b"".join((Path(rig.state_dir) / name).read_bytes() for name in ("client.key", "client.pem")))
    assert _send(folder, rig, "--cert-file", str(both)).returncode == 0


def test_credentials_that_cannot_be_used_are_refused_before_anything_is_sent(rig: RunningRig, folder: Path) -> None:
    state_dir = Path(rig.state_dir)
    certificate, key = str(state_dir / "client.pem"), str(state_dir / "client.key")
    for credential, complaint in (
        ((), "no credential: give --key-file"),
        (("--cert-file", certificate, "--key-id", "KEY0000000"), "exclude each other"),
        (("--cert-key-file", key), "give --cert-file too"),
        (("--cert-file", "none.pem"), "cannot read none.pem"),
        (("--cert-file", certificate), "client.pem holds no private key; give the key in PEM with --cert-key-file"),
        (("--cert-file", key), "client.key holds no certificate"),
        (("--cert-file", certificate, "--cert-key-file", str(state_dir / "server.key")), "is not the key of"),
    ):
        refused = _send(folder, rig, *credential)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert complaint in refused.stderr
        assert "Traceback" not in refused.stderr
    refused = _send(
        folder, rig, "--cert-file", certificate, "--cert-key-file", key, url=rig.url.replace("https", "http")
    )
    assert refused.returncode == 2
    assert "must be https://" in refused.stderr


def test_a_certificate_of_the_other_environment_stops_the_campaign(folder: Path) -> None:
    certificate = str(self_signed(folder, {DEVELOPMENT_OID: NULL}))
    with RigProcess(("--client-ca", certificate)) as process:
        assert not {"APNS_CERT_FILE", "APNS_CERT_KEY_FILE"} & set(_environ(process.running))
        sent = _send(folder, process.running, "--cert-file", certificate)
    assert sent.returncode == 4
    assert "BadCertificateEnvironment" in sent.stderr


def test_a_sender_of_somebody_else_gets_through_with_the_certificate(rig: RunningRig, tmp_path: Path) -> None:
    """aioapns: one file for both, as it wants it; its topic is its user's to name."""
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join((Path(rig.state_dir) / name).read_bytes() for name in ("client.key", "client.pem")))

    class SimulatorProtocol(APNsProductionClientProtocol):
        APNS_SERVER = "localhost"
        APNS_PORT = rig.port

    async def send(topic: str) -> tuple[str, str | None]:
        context = ssl.create_default_context(cafile=rig.ca_file)
        client = APNs(client_cert=str(both), topic=topic, ssl_context=context)
        client.pool.protocol_class = SimulatorProtocol
        result = await client.send_notification(NotificationRequest("ab" * 32, {"aps": {"alert": "Hello"}}))
        client.pool.close()
        return result.status, result.description

    async def send_to_each() -> list[tuple[str, str | None]]:
        return [await send(topic) for topic in (*TOPICS, "com.example.other")]

    answers = asyncio.run(asyncio.wait_for(send_to_each(), TIMEOUT_S))
    assert [status for status, _ in answers] == ["200", "200", "400"]
    assert answers[2][1] == "TopicDisallowed"


def test_a_certificate_that_the_provider_does_not_trust_ends_the_campaign_at_once(
    rig: RunningRig, folder: Path, tmp_path: Path
) -> None:
    foreign = self_signed(tmp_path, {})
    refused = _send(folder, rig, "--cert-file", str(foreign), "--cert-key-file", str(foreign))
    assert refused.returncode == 4, refused.stderr
    assert "refuses the client certificate: unknown ca" in refused.stderr
