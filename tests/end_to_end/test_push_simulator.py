"""The handle that `push_simulator` gives to tests: what it hands out, sets, waits for and refuses."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pushrig_pytest import (
    ControlApiError,
    NotificationsDroppedWarning,
    NotificationsMissingError,
    PushSimulator,
    PushSimulatorError,
    PushSimulatorFactory,
)
from simulator.certificates import make_server_certificate
from tests.end_to_end.h2_client import PAYLOAD, H2Client, valid_push

HOUR_MS = 3_600_000


@pytest.fixture
def client(push_simulator: PushSimulator) -> Iterator[H2Client]:
    """A connection over TLS."""
    with H2Client.connect(push_simulator) as connected:
        yield connected


def test_it_says_where_it_is_and_whom_to_be(push_simulator: PushSimulator) -> None:
    assert push_simulator.url == f"https://{push_simulator.host}:{push_simulator.port}"
    assert push_simulator.key_file.name == f"AuthKey_{push_simulator.key_id}.p8"
    assert (len(push_simulator.team_id), len(push_simulator.key_id)) == (10, 10)
    assert push_simulator.ca_file.read_text() in push_simulator.bundle_file.read_text()
    assert push_simulator.cleartext_port is None
    account = json.loads(push_simulator.service_account_file.read_bytes())
    assert account["project_id"] == push_simulator.project_id
    assert account["token_uri"] == f"{push_simulator.url}/token"
    assert len(push_simulator.project_number) == 12
    assert push_simulator.environment == "production"


@pytest.mark.parametrize("arguments", [(), ("--cleartext-port", "0")])
def test_its_environ_is_what_pushrig_env_prints(
    push_simulator_factory: PushSimulatorFactory, arguments: tuple[str, ...]
) -> None:
    with push_simulator_factory(*arguments) as simulator:
        state_dir = str(simulator.key_file.parent)
        command = [sys.executable, "-P", "-m", "pushrig", "env", "--format", "json", "--state-dir", state_dir]
        printed = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
        assert simulator.environ == json.loads(printed)


def test_a_certificate_of_the_user_s_own_leaves_trust_to_the_user(
    push_simulator_factory: PushSimulatorFactory, tmp_path: Path
) -> None:
    made = make_server_certificate(("localhost",), 1_790_000_000.0)
    (tmp_path / "server.pem").write_bytes(made.certificate)
    (tmp_path / "server.key").write_bytes(made.private_key)
    own = ("--tls-cert", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key"))
    with push_simulator_factory(*own) as simulator:
        assert "SSL_CERT_FILE" not in simulator.environ
        with pytest.raises(PushSimulatorError, match="--tls-cert"):
            _ = simulator.ca_file


def test_tokens_are_fresh_and_get_what_was_asked_for(push_simulator: PushSimulator, client: H2Client) -> None:
    tokens = [
        *push_simulator.tokens(3),
        push_simulator.token("wrong-topic"),
        push_simulator.token(topic="com.example.b"),
    ]
    assert len(set(tokens)) == 5
    statuses = [client.push(valid_push(push_simulator, device=token)).status for token in tokens]
    assert statuses == [200, 200, 200, 400, 400]
    assert client.push(valid_push(push_simulator, device=tokens[-1], apns_topic="com.example.b")).status == 200


def test_more_tokens_than_one_call_gives(push_simulator: PushSimulator) -> None:
    devices = push_simulator.devices(10_001)
    assert len({device.token for device in devices}) == 10_001
    assert [device.index - devices[0].index for device in devices] == list(range(10_001))


def test_tokens_are_of_the_simulator_s_environment(push_simulator_factory: PushSimulatorFactory) -> None:
    with push_simulator_factory("--environment", "sandbox") as simulator, H2Client.connect(simulator) as client:
        assert client.push(valid_push(simulator)).status == 200


def test_a_state_is_set_and_taken_back(push_simulator: PushSimulator, client: H2Client) -> None:
    token = push_simulator.token()
    push_simulator.set_state(token, "unregistered", since_ms=123)
    answer = client.push(valid_push(push_simulator, device=token))
    assert json.loads(answer.body) == {"reason": "Unregistered", "timestamp": 123}
    push_simulator.remove_state(token)
    assert client.push(valid_push(push_simulator, device=token)).status == 200


def test_a_notification_tells_all_of_itself(push_simulator: PushSimulator, client: H2Client) -> None:
    token = push_simulator.token()
    answer = client.push(valid_push(push_simulator, device=token, apns_priority="5"))
    [notification] = push_simulator.notifications()
    assert notification.accepted
    assert (notification.status, notification.reason) == (200, None)
    assert (notification.token, notification.topic) == (token, push_simulator.topic)
    assert notification.apns_id == answer.apns_id
    assert notification.headers["apns-priority"] == "5"
    assert notification.payload == json.loads(PAYLOAD)
    assert abs(notification.at_ms - push_simulator.clock.now_ms()) < HOUR_MS


def test_a_body_that_is_no_text_arrives_as_it_is(push_simulator: PushSimulator, client: H2Client) -> None:
    client.push(valid_push(push_simulator), b"\xff\x00")
    [notification] = push_simulator.notifications()
    assert notification.body == b"\xff\x00"
    with pytest.raises(ValueError, match=r"codec|Expecting"):
        _ = notification.payload


def test_filters_leave_what_fits(push_simulator: PushSimulator, client: H2Client) -> None:
    good, gone = push_simulator.token(), push_simulator.token("unregistered")
    for token in (good, gone, good):
        client.push(valid_push(push_simulator, device=token))
    everything = push_simulator.notifications()
    assert [each.token for each in everything] == [good, gone, good]
    assert push_simulator.notifications(token=gone) == everything[1:2]
    assert push_simulator.notifications(status=200) == [everything[0], everything[2]]
    assert push_simulator.notifications(reason="Unregistered", topic=push_simulator.topic) == everything[1:2]
    assert push_simulator.notifications(apns_id=str(everything[2].apns_id).lower()) == everything[2:]
    assert push_simulator.notifications(since_ms=everything[-1].at_ms + 1) == []
    assert push_simulator.notifications(until_ms=everything[0].at_ms) == []


def test_more_notifications_than_one_answer_holds_come_in_order(
    push_simulator: PushSimulator, client: H2Client
) -> None:
    token = push_simulator.token()
    for _ in range(2_050):
        client.push(valid_push(push_simulator, device=token))
    numbers = [each.number for each in push_simulator.notifications(count=2_050)]
    assert numbers == list(range(numbers[0], numbers[0] + 2_050))


def test_it_waits_for_what_is_yet_to_come(push_simulator: PushSimulator, client: H2Client) -> None:
    fields = valid_push(push_simulator)
    later = threading.Timer(0.05, client.push, (fields,))
    later.start()
    assert len(push_simulator.notifications(count=1)) == 1
    later.join()


def test_a_coroutine_waits_in_another_thread(push_simulator: PushSimulator, client: H2Client) -> None:
    async def send_and_wait() -> int:
        waiting = asyncio.create_task(asyncio.to_thread(push_simulator.notifications, count=1))
        await asyncio.sleep(0)
        client.push(valid_push(push_simulator))
        return len(await waiting)

    assert asyncio.run(send_and_wait()) == 1


def test_what_does_not_come_is_missed_with_what_came_instead(push_simulator: PushSimulator, client: H2Client) -> None:
    token = push_simulator.token("expired")
    client.push(valid_push(push_simulator, device=token))
    with pytest.raises(NotificationsMissingError) as missing:
        push_simulator.notifications(count=2, wait_s=0.01, status=200)
    said = str(missing.value)
    assert "0 of 2 notifications with status=200 came within 0.01 s" in said
    assert f"410 ExpiredToken topic={push_simulator.topic} token={token}" in said
    assert isinstance(missing.value, AssertionError)


def test_what_the_journal_dropped_is_warned_of(push_simulator_factory: PushSimulatorFactory) -> None:
    with push_simulator_factory("--journal-entries-max", "2") as simulator, H2Client.connect(simulator) as client:
        for _ in range(3):
            client.push(valid_push(simulator))
        with pytest.warns(NotificationsDroppedWarning, match="of 3 notifications the simulator kept the last 2"):
            assert len(simulator.notifications(count=3)) == 2


def test_the_clock_ages_what_it_has_seen(push_simulator: PushSimulator, client: H2Client) -> None:
    fields = valid_push(push_simulator)
    assert client.push(fields).status == 200
    frozen_ms = push_simulator.clock.freeze()
    assert push_simulator.clock.advance(2 * HOUR_MS) == frozen_ms + 2 * HOUR_MS
    assert push_simulator.clock.now_ms() == frozen_ms + 2 * HOUR_MS
    assert client.push(fields).body == b'{"reason":"ExpiredProviderToken"}'
    assert push_simulator.clock.resume() < frozen_ms + HOUR_MS
    assert client.push(fields).status == 200


def test_ledger_and_stats_count_what_came(push_simulator: PushSimulator, client: H2Client) -> None:
    once, twice, gone, _ = *push_simulator.tokens(2), push_simulator.token("unregistered"), push_simulator.token()
    for token in (once, twice, twice, gone):
        client.push(valid_push(push_simulator, device=token))
    ledger, stats = push_simulator.ledger(), push_simulator.stats()
    assert (ledger.accepted_once, ledger.accepted_more, ledger.rejected, ledger.never) == (1, 1, 1, 1)
    [population] = ledger.populations
    assert (population.count, dict(population.answers_by_reason)) == (4, {"Unregistered": 1})
    assert (stats.notifications, stats.accepted, stats.rejected) == (4, 3, 1)
    assert stats.rejected_by_reason == {"Unregistered": 1}
    assert stats.connections_open >= 1


def test_a_reset_forgets_but_keeps_connections(push_simulator: PushSimulator, client: H2Client) -> None:
    client.push(valid_push(push_simulator))
    push_simulator.reset()
    assert push_simulator.notifications() == []
    assert push_simulator.stats().notifications == 0
    assert push_simulator.ledger().populations == ()
    assert client.push(valid_push(push_simulator)).status == 200


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda simulator: simulator.token("dead"), "unregistered"),
        (lambda simulator: simulator.token(topic=""), "topic"),
        (lambda simulator: simulator.tokens(0), "count"),
        (lambda simulator: simulator.set_state("no-hex", "active"), "hexadecimal"),
        (lambda simulator: simulator.set_state("a/b?c#d", "active"), "hexadecimal|no '/api"),
        (lambda simulator: simulator.set_state("ab" * 32, "reregistered"), "cannot be set by hand"),
        (lambda simulator: simulator.set_state("ab" * 32, "active", since_ms=-1), "since_ms"),
        (lambda simulator: simulator.notifications(reason="Nonsense"), "there is no reason"),
        (lambda simulator: simulator.notifications(count=1, wait_s=61), "wait_s"),
        (lambda simulator: simulator.clock.advance(-1), "advance_ms|0 ms or more"),
        (lambda simulator: simulator.clock.freeze(at_ms=-1), "at_ms"),
    ],
)
def test_what_it_refuses_it_refuses_with_the_api_s_words(
    push_simulator: PushSimulator, spoil: object, named: str
) -> None:
    assert callable(spoil)
    with pytest.raises(ControlApiError, match=named) as refused:
        spoil(push_simulator)
    assert 400 <= refused.value.status < 500
    assert refused.value.code
