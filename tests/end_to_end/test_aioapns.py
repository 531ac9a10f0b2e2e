"""`aioapns` from PyPI, unmodified, against the simulator over real TLS. Which reasons it meets is in `test_every_reason`."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from aioapns import APNs, NotificationRequest, PushType
from aioapns.common import NotificationResult

from pushrig_pytest import PushSimulator
from tests.end_to_end.aioapns_client import aioapns_client, aioapns_client_with_certificate

NOTIFICATIONS = 1_000
TIMEOUT_S = 30.0


async def _send(make_client: Callable[[], APNs], requests: Sequence[NotificationRequest]) -> list[NotificationResult]:
    client = make_client()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await asyncio.gather(*map(client.send_notification, requests))
    finally:
        client.pool.close()


def _thousand(simulator: PushSimulator) -> list[NotificationRequest]:
    tokens = simulator.tokens(NOTIFICATIONS)
    return [NotificationRequest(token, {"aps": {"alert": str(at)}}) for at, token in enumerate(tokens)]


def test_a_thousand_notifications_are_accepted_once_each(push_simulator: PushSimulator) -> None:
    results = asyncio.run(_send(lambda: aioapns_client(push_simulator), _thousand(push_simulator)))
    assert [result.status for result in results] == ["200"] * NOTIFICATIONS
    assert len({result.notification_id for result in results}) == NOTIFICATIONS
    ledger, stats = push_simulator.ledger(), push_simulator.stats()
    assert (ledger.accepted_once, ledger.accepted_more, ledger.rejected, ledger.never) == (NOTIFICATIONS, 0, 0, 0)
    assert (stats.resets_sent, stats.goaways_sent, stats.protocol_errors) == (0, 0, 0)


def test_a_client_certificate_does_as_well(push_simulator: PushSimulator, tmp_path: Path) -> None:
    environ = push_simulator.environ
    both = tmp_path / "client.pem"
    both.write_bytes(Path(environ["APNS_CERT_FILE"]).read_bytes() + Path(environ["APNS_CERT_KEY_FILE"]).read_bytes())
    client = partial(aioapns_client_with_certificate, push_simulator, both)
    results = asyncio.run(_send(client, _thousand(push_simulator)))
    assert [result.status for result in results] == ["200"] * NOTIFICATIONS
    assert "authorization" not in push_simulator.notifications()[0].headers


def test_all_that_it_can_say_arrives(push_simulator: PushSimulator) -> None:
    token = push_simulator.token()
    request = NotificationRequest(
        token,
        {"aps": {"alert": "Grüße"}},
        time_to_live=60,
        priority=5,
        collapse_key="score",
        push_type=PushType.ALERT,
        apns_topic=push_simulator.topic,
    )
    [result] = asyncio.run(_send(lambda: aioapns_client(push_simulator), [request]))
    assert result.is_successful
    [notification] = push_simulator.notifications(count=1)
    assert (notification.token, notification.topic) == (token, push_simulator.topic)
    assert notification.apns_id == request.notification_id
    assert notification.payload == {"aps": {"alert": "Grüße"}}
    headers = notification.headers
    assert (headers["apns-priority"], headers["apns-collapse-id"], headers["apns-push-type"]) == ("5", "score", "alert")
    assert headers["host"] == push_simulator.host
    assert ":authority" not in headers
