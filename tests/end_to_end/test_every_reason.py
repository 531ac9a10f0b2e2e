"""Every reason of APNs that a client can bring about is brought about: by `aioapns` as far as it goes, else on `h2`.

The rows nobody can provoke today are listed with the cause, and all three lists together are the transcript's table.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest
from aioapns import NotificationRequest
from aioapns.common import NotificationResult

from pushrig_pytest import PushSimulator, PushSimulatorFactory
from tests.end_to_end.aioapns_client import aioapns_client, aioapns_client_with_certificate
from tests.end_to_end.client_certificates import DEVELOPMENT_OID, NULL, TOPICS_OID, self_signed
from tests.end_to_end.h2_client import PAYLOAD, Answer, ConnectionEndedError, Fields, H2Client, valid_push
from tests.end_to_end.provider_tokens import provider_token
from tests.spec.apns_transcript import APNS_REASONS

STATUSES = {reason: status for status, reason in APNS_REASONS}
TIMEOUT_S = 20.0
HOUR_MS = 3_600_000
OTHER_KEY_ID = "ABC123DEFG"


class UnheardOf(Enum):
    """A push type that is none."""

    NEWSSTAND = "newsstand"


@dataclass(frozen=True, slots=True)
class Provoked:
    """An answer, from whichever client."""

    status: int
    reason: str | None
    timestamp_ms: int | None = None

    @classmethod
    def of_aioapns(cls, result: NotificationResult) -> "Provoked":
        """What aioapns makes of an answer."""
        return cls(int(result.status), result.description, result.timestamp)

    @classmethod
    def of_h2(cls, answer: Answer) -> "Provoked":
        """What stands in the answer."""
        body = json.loads(answer.body)
        return cls(answer.status, body["reason"], body.get("timestamp"))


Provocation = Callable[[PushSimulator], Provoked]


# By aioapns


def _aioapns(*spoiled: Mapping[str, object], key_id: str | None = None, hours_before: float = 0) -> Provocation:
    """Send one notification for each of `spoiled`; the last answer counts. `hours_before` that one, the clock advances."""

    async def send(simulator: PushSimulator) -> NotificationResult:
        client = aioapns_client(simulator, key_id=key_id)
        try:
            for at, changes in enumerate(spoiled):
                if at == len(spoiled) - 1 and hours_before:
                    simulator.clock.advance(int(hours_before * HOUR_MS))
                result = await client.send_notification(_request(simulator, changes))
        finally:
            client.pool.close()
        return result

    return lambda simulator: Provoked.of_aioapns(asyncio.run(asyncio.wait_for(send(simulator), TIMEOUT_S)))


def _request(simulator: PushSimulator, changes: Mapping[str, object]) -> NotificationRequest:
    fate = changes.get("fate", "active")
    arguments: dict[str, object] = {"device_token": simulator.token(str(fate)), "message": {"aps": {"alert": "Hello"}}}
    arguments.update({name: value for name, value in changes.items() if name != "fate"})
    return NotificationRequest(**arguments)  # type: ignore[arg-type]  # some are meant to be wrong


def _two_clients_of_one_key(simulator: PushSimulator) -> Provoked:
    """Each signs a token of its own."""
    assert _aioapns({})(simulator).status == 200
    return _aioapns({})(simulator)


BY_AIOAPNS: Mapping[str, Provocation] = {
    "BadCollapseId": _aioapns({"collapse_key": "x" * 65}),
    "BadDeviceToken": _aioapns({"device_token": "no-hex"}),
    "BadExpirationDate": _aioapns({"time_to_live": -(10**11)}),
    "BadMessageId": _aioapns({"notification_id": "no-uuid"}),
    "BadPath": _aioapns({"device_token": "ab/cd"}),
    "BadPriority": _aioapns({"priority": 7}),
    "BadTopic": _aioapns({"apns_topic": "com example app"}),
    "DeviceTokenNotForTopic": _aioapns({"fate": "wrong-topic"}),
    "ExpiredProviderToken": _aioapns({}, {}, hours_before=1.01),
    "ExpiredToken": _aioapns({"fate": "expired"}),
    "InvalidProviderToken": _aioapns({}, key_id=OTHER_KEY_ID),
    "InvalidPushType": _aioapns({"push_type": UnheardOf.NEWSSTAND}),
    "MissingDeviceToken": _aioapns({"device_token": ""}),
    "PayloadTooLarge": _aioapns({"message": {"aps": {"alert": "x" * 4_096}}}),
    "TooManyProviderTokenUpdates": _two_clients_of_one_key,
    "TooManyRequests": _aioapns({"device_token": "ab" * 32}, {"device_token": "AB" * 32}),
    "TopicDisallowed": _aioapns({"apns_topic": "com.example.other"}),
    "Unregistered": _aioapns({"fate": "unregistered"}),
}


# On h2: what aioapns cannot be made to send.


def _h2(body: bytes = PAYLOAD, again: Callable[[Fields], Fields] | None = None, **changes: str | None) -> Provocation:
    def provoke(simulator: PushSimulator) -> Provoked:
        fields = valid_push(simulator, **changes)
        with H2Client.connect(simulator) as client:
            return Provoked.of_h2(client.push(fields if again is None else again(fields), body))

    return provoke


def _another_key(simulator: PushSimulator) -> Provoked:
    """On a connection that is bound to one key already."""
    with H2Client.connect(simulator) as client:
        assert client.push(valid_push(simulator)).status == 200
        other = f"bearer {provider_token(simulator, key_id=OTHER_KEY_ID)}"
        return Provoked.of_h2(client.push(valid_push(simulator, authorization=other)))


BY_H2: Mapping[str, Provocation] = {
    "DuplicateHeaders": _h2(again=lambda fields: [*fields, ("apns-topic", "com.example.app")]),
    "MethodNotAllowed": _h2(method="PUT"),
    "MissingProviderToken": _h2(authorization=None),
    "MissingTopic": _h2(apns_topic=None),
    "PayloadEmpty": _h2(body=b""),
    "UnrelatedKeyIdInToken": _another_key,
}

BY_THE_TESTS_BELOW = {"BadCertificate", "BadCertificateEnvironment", "Shutdown"}
"""With a simulator of their own; the last two are told by GOAWAY, not by an answer."""

BY_NOBODY = {
    "BadEnvironmentKeyIdInToken": "documented, but the wire has the other spelling; the switch has no option yet",
    "BadEnvironmentKeyInToken": "the simulator's one key serves both environments",
    "Forbidden": "Apple names no action that leads to it",
    "IdleTimeout": "idle connections are kept",
    "InternalServerError": "the condition of the service cannot be set from outside yet",
    "ServiceUnavailable": "as InternalServerError",
}

# Which simulator a row needs; the others do with any.
OPTIONS = {
    "TooManyProviderTokenUpdates": "restricted",
    "TooManyRequests": "rated",
    "TopicDisallowed": "restricted",
    "UnrelatedKeyIdInToken": "lenient",
}


@pytest.fixture(scope="module")
def simulators(
    push_simulator_factory: PushSimulatorFactory,
    push_simulator_process: PushSimulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[str, PushSimulator]]:
    """By the names in `OPTIONS`; `any` is the session's."""
    rates_file = tmp_path_factory.mktemp("rates") / "rates.toml"
    rates_file.write_text("[apns_device]\ncount = 1\nper_s = 3600\n")
    with (
        push_simulator_factory("--topic", "com.example.app", "--provider-token-update-scope", "key") as restricted,
        push_simulator_factory("--auth", "lenient") as lenient,
        push_simulator_factory("--limits", str(rates_file)) as rated,
    ):
        yield {"any": push_simulator_process, "restricted": restricted, "lenient": lenient, "rated": rated}


@pytest.mark.parametrize("reason", [*BY_AIOAPNS, *BY_H2])
def test_the_reason_is_met(reason: str, simulators: Mapping[str, PushSimulator]) -> None:
    simulator = simulators[OPTIONS.get(reason, "any")]
    simulator.reset()
    provoked = (BY_AIOAPNS.get(reason) or BY_H2[reason])(simulator)
    assert (provoked.status, provoked.reason) == (STATUSES[reason], reason)
    assert (provoked.timestamp_ms is not None) == (provoked.status == 410)
    latest = simulator.notifications()[-1]
    assert (latest.status, latest.reason) == (STATUSES[reason], reason)


def test_a_stopping_simulator_says_so(push_simulator_factory: PushSimulatorFactory) -> None:
    with push_simulator_factory() as simulator, H2Client.connect(simulator) as client:
        assert client.push(valid_push(simulator)).status == 200
        simulator.stop()
        with pytest.raises(ConnectionEndedError) as ended:
            client.receive()
        assert ended.value.goaway is not None
        assert (ended.value.goaway.error_code, ended.value.goaway.last_stream_id) == (0, 1)
        assert ended.value.goaway.additional_data == b'{"reason":"Shutdown"}'


def test_a_certificate_that_cannot_be_read_is_bad(push_simulator_factory: PushSimulatorFactory, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, {TOPICS_OID: b"\x30\x05\x0c"})

    async def send(simulator: PushSimulator) -> NotificationResult:
        client = aioapns_client_with_certificate(simulator, certificate)
        try:
            return await client.send_notification(_request(simulator, {}))
        finally:
            client.pool.close()

    with push_simulator_factory("--client-ca", str(certificate)) as simulator:
        result = asyncio.run(asyncio.wait_for(send(simulator), TIMEOUT_S))
    assert Provoked.of_aioapns(result) == Provoked(STATUSES["BadCertificate"], "BadCertificate")


def test_a_certificate_of_the_other_environment_is_told_so(
    push_simulator_factory: PushSimulatorFactory, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path, {DEVELOPMENT_OID: NULL})
    with (
        push_simulator_factory("--client-ca", str(certificate)) as simulator,
        pytest.raises(ConnectionEndedError) as ended,
        H2Client.connect(simulator, certificate_file=certificate) as client,
    ):
        client.push(valid_push(simulator, authorization=None))
    assert ended.value.goaway is not None
    assert (ended.value.goaway.error_code, ended.value.goaway.last_stream_id) == (0, 0)
    assert ended.value.goaway.additional_data == b'{"reason":"BadCertificateEnvironment"}'


def test_every_row_of_the_transcript_is_accounted_for_once() -> None:
    accounted = [*BY_AIOAPNS, *BY_H2, *BY_THE_TESTS_BELOW, *BY_NOBODY]
    assert sorted(accounted) == sorted(STATUSES)


def test_an_unregistered_device_died_after_it_was_registered(push_simulator: PushSimulator) -> None:
    [device] = push_simulator.devices(1, fate="unregistered")
    provoked = _aioapns({"device_token": device.token})(push_simulator)
    assert provoked.timestamp_ms is not None
    assert provoked.timestamp_ms > device.registered_at_ms


def test_a_device_that_comes_back_is_told_to_have_gone_before_it_was_registered(push_simulator: PushSimulator) -> None:
    [device] = push_simulator.devices(1)
    push_simulator.set_state(device.token, "unregistered", since_ms=device.registered_at_ms - 1)
    provoked = _aioapns({"device_token": device.token})(push_simulator)
    assert provoked == Provoked(410, "Unregistered", device.registered_at_ms - 1)
