"""The handle that `push_simulator` gives to tests, for FCM: registrations, what came, states, and what goes wrong."""

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pushrig_pytest import ControlApiError, PushSimulator
from simulator.fcm.access_token import LIFE_S_MAX, SELF_SIGNED_AUDIENCE
from simulator.fcm.service_account import decode_service_account
from tests.end_to_end.h2_client import H2Client, valid_push


class GoogleClient:
    """One connection over HTTP/1.1 that calls as the simulator's service account."""

    def __init__(self, simulator: PushSimulator) -> None:
        context = ssl.create_default_context(cafile=simulator.ca_file)
        self._connection = http.client.HTTPSConnection(simulator.host, simulator.port, timeout=10, context=context)
        account = decode_service_account(simulator.service_account_file.read_bytes())
        issued_at_s = int(time.time())
        token = account.signed(
            {
                "iss": account.client_email, "sub": account.client_email, "aud": SELF_SIGNED_AUDIENCE,
                "iat": issued_at_s, "exp": issued_at_s + LIFE_S_MAX,
            }
        )  # fmt: skip
        self._fields = {"authorization": f"Bearer {token.decode()}", "access_token_auth": "true"}
        self._send_path = f"/v1/projects/{simulator.project_id}/messages:send"

    def send(self, *, dry_run: bool = False, **message: object) -> tuple[int, Any]:
        """Status and JSON of one send; of a page of HTML its bytes."""
        return self.call(self._send_path, {"message": message, "validate_only": dry_run})

    def call(self, path: str, body: object) -> tuple[int, Any]:
        """Status and JSON of one call; of a page of HTML its bytes."""
        self._connection.request("POST", path, json.dumps(body), self._fields)
        response = self._connection.getresponse()
        content = response.read()
        return response.status, json.loads(content) if content.startswith(b"{") else content

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def google(push_simulator: PushSimulator) -> Iterator[GoogleClient]:
    """A client of Google's."""
    client = GoogleClient(push_simulator)
    yield client
    client.close()


@pytest.mark.parametrize(
    ("fate", "status", "reason"),
    [
        ("active", 200, None),
        ("unregistered", 404, "UNREGISTERED"),
        ("stale", 404, "UNREGISTERED"),
        ("other-sender", 403, "SENDER_ID_MISMATCH"),
        ("invalid-shape", 400, "INVALID_ARGUMENT"),
    ],
)
@pytest.mark.parametrize("platform", [None, "android", "ios", "web"])
def test_registrations_are_fresh_and_get_what_was_asked_for(
    push_simulator: PushSimulator,
    google: GoogleClient,
    fate: str,
    status: int,
    reason: str | None,
    platform: str | None,
) -> None:
    tokens = push_simulator.tokens(2, fate, provider="fcm", platform=platform)
    assert len(set(tokens)) == 2
    assert [google.send(token=token)[0] for token in tokens] == [status, status]
    assert [each.reason for each in push_simulator.notifications(2)] == [reason, reason]


def test_a_message_tells_all_of_itself(push_simulator: PushSimulator, google: GoogleClient) -> None:
    token = push_simulator.token(provider="fcm")
    status, answer = google.send(token=token, data={"kind": "order"})
    [notification] = push_simulator.notifications()
    assert (status, notification.status, notification.accepted, notification.provider) == (200, 200, True, "fcm")
    assert (notification.token, notification.topic, notification.environment) == (token, None, None)
    assert notification.apns_id is None
    assert answer["name"] == f"projects/{push_simulator.project_id}/messages/{notification.message_id}"
    assert notification.payload["message"] == {"token": token, "data": {"kind": "order"}}
    assert "(signature withheld)" in notification.headers["authorization"]
    assert push_simulator.notifications(message_id=answer["name"]) == [notification]


def test_filters_tell_the_providers_apart(push_simulator: PushSimulator, google: GoogleClient) -> None:
    registration, device = push_simulator.token(provider="fcm"), push_simulator.token()
    google.send(token=registration)
    with H2Client.connect(push_simulator) as client:
        client.push(valid_push(push_simulator, device=device))
    of_fcm, of_apns = push_simulator.notifications(2)
    assert push_simulator.notifications(provider="fcm") == [of_fcm]
    assert push_simulator.notifications(provider="apns") == [of_apns]
    assert push_simulator.notifications(token=registration[:22]) == [of_fcm]
    assert (of_apns.provider, of_apns.message_id, of_apns.token) == ("apns", None, device)


def test_a_message_to_a_topic_is_seen_with_its_deliveries(push_simulator: PushSimulator, google: GoogleClient) -> None:
    tokens = push_simulator.tokens(3, provider="fcm")
    body = {"to": "/topics/news", "registration_tokens": tokens}
    assert google.call("/iid/v1:batchAdd", body) == (200, {"results": [{}, {}, {}]})
    assert push_simulator.fcm.project().subscriptions == 3
    push_simulator.set_state(tokens[1], "unregistered")
    assert google.send(topic="news")[0] == 200
    sent, *deliveries = push_simulator.notifications(4)
    assert (sent.token, sent.topic) == ("/topics/news", "news")
    assert [each.token for each in deliveries] == [token[:22] for token in tokens]
    assert [each.reason for each in deliveries] == [None, "UNREGISTERED", None]
    assert [each.topic for each in deliveries] == [None, None, None]
    assert push_simulator.notifications(token=tokens[2]) == deliveries[2:]
    ledger, stats = push_simulator.ledger(), push_simulator.stats()
    assert (ledger.accepted_once, ledger.rejected, ledger.never) == (2, 1, 0)
    assert (stats.notifications, stats.topic_deliveries, stats.topic_deliveries_refused) == (1, 2, 1)
    assert stats.google_calls == {"instance-id": 1}
    assert push_simulator.fcm.project().fan_outs_waiting == 0


def test_a_state_is_set_on_a_registration_and_taken_back(push_simulator: PushSimulator, google: GoogleClient) -> None:
    token = push_simulator.token(provider="fcm")
    push_simulator.set_state(token, "other-sender")
    assert google.send(token=token)[0] == 403
    push_simulator.remove_state(token[:22])
    assert google.send(token=token)[0] == 200


def test_a_provider_out_of_order_says_so_and_the_other_goes_on(
    push_simulator: PushSimulator, google: GoogleClient
) -> None:
    token = push_simulator.token(provider="fcm")
    with H2Client.connect(push_simulator) as client:
        for condition, status in (("unavailable", 503), ("internal-error", 500), ("bad-gateway", 502), ("ok", 200)):
            push_simulator.set_condition(fcm=condition)
            assert google.send(token=token)[0] == status
            assert client.push(valid_push(push_simulator)).status == 200
        for condition, status in (
            ("shutting-down", 503),
            ("unavailable", 503),
            ("internal-error", 500),
            ("ok", 200),
        ):
            push_simulator.set_condition(apns=condition)
            assert client.push(valid_push(push_simulator)).status == status
            assert google.send(token=token)[0] == 200


def test_the_project_loses_its_apns_credential_and_its_api(push_simulator: PushSimulator, google: GoogleClient) -> None:
    ios, android = push_simulator.token(provider="fcm", platform="ios"), push_simulator.token(provider="fcm")
    push_simulator.fcm.set_apns_credential("invalid")
    status, answer = google.send(token=ios, notification={"title": "Hello"})
    assert (status, answer["error"]["details"][1]["reason"]) == (401, "InvalidProviderToken")
    assert google.send(token=android)[0] == 200
    push_simulator.fcm.set_api_enabled(False)
    assert google.send(token=android)[1]["error"]["details"][0]["reason"] == "SERVICE_DISABLED"
    project = push_simulator.fcm.project()
    assert (project.api_enabled, project.apns_credential) == (False, "invalid")
    assert (project.project_id, project.project_number) == (push_simulator.project_id, push_simulator.project_number)
    push_simulator.reset()
    assert google.send(token=ios)[0] == 200


def test_a_reset_forgets_subscriptions(push_simulator: PushSimulator, google: GoogleClient) -> None:
    body = {"to": "/topics/news", "registration_tokens": push_simulator.tokens(2, provider="fcm")}
    google.call("/iid/v1:batchAdd", body)
    push_simulator.reset()
    assert push_simulator.fcm.project().subscriptions == 0
    assert push_simulator.ledger().never == 0


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda simulator: simulator.token("expired", provider="fcm"), "other-sender"),
        (lambda simulator: simulator.token("stale"), "unregistered"),
        (lambda simulator: simulator.token(provider="gcm"), "provider"),
        (lambda simulator: simulator.token(provider="fcm", platform="windows"), "platform"),
        (lambda simulator: simulator.token(platform="ios"), "platform"),
        (lambda simulator: simulator.token(topic="com.example.b", provider="fcm"), "--topic"),
        (lambda simulator: simulator.set_state(simulator.token(provider="fcm"), "expired"), "there is no 'expired'"),
        (lambda simulator: simulator.set_condition(), "fcm"),
        (lambda simulator: simulator.set_condition(apns="bad-gateway"), "apns"),
        (lambda simulator: simulator.fcm.set_apns_credential("expired"), "apns_credential"),
        (lambda simulator: simulator.notifications(apns_id="a", message_id="b"), "message_id"),
    ],
)
def test_what_it_refuses_it_refuses_with_the_api_s_words(
    push_simulator: PushSimulator, spoil: object, named: str
) -> None:
    assert callable(spoil)
    with pytest.raises(ControlApiError, match=named) as refused:
        spoil(push_simulator)
    assert 400 <= refused.value.status < 500
