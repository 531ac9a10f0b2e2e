"""A program that sends with firebase-admin as its documentation says, and prints what came of each step, a line of JSON each.

It runs under `pushrig run`: nothing in it leads to the simulator.
"""

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import firebase_admin
from firebase_admin import exceptions, messaging

from tests.sdk.rig_control import await_deliveries, calls_to, control, registrations, times_accepted

HELLO = messaging.Notification(title="Hello", body="World")
PROJECT_COUNT = 100  # both as in rates.toml
DEVICE_COUNT = 4

Facts = dict[str, object]


def message(token: str, **more: object) -> messaging.Message:
    """A message to one device."""
    return messaging.Message(notification=HELLO, token=token, **more)


def refusal(error: exceptions.FirebaseError | None) -> Facts:
    """What a program can tell of an error."""
    assert error is not None
    response = error.http_response
    return {
        "error": type(error).__name__,
        "code": error.code,
        "status": None if response is None else response.status_code,
        "text": str(error),
    }


def refused(to_send: messaging.Message) -> Facts:
    """The error of a send."""
    try:
        return {"error": None, "name": messaging.send(to_send)}
    except exceptions.FirebaseError as error:
        return refusal(error)


def batch(response: messaging.BatchResponse) -> Facts:
    """The answers of a batch, in order: message ids and names of errors."""
    return {
        "success_count": response.success_count,
        "failure_count": response.failure_count,
        "answers": [each.message_id if each.success else type(each.exception).__name__ for each in response.responses],
    }


def topic_change(response: messaging.TopicManagementResponse) -> Facts:
    """The counts of a topic management call, and its errors by place."""
    return {
        "success_count": response.success_count,
        "failure_count": response.failure_count,
        "errors": [[each.index, each.reason] for each in response.errors],
    }


@contextmanager
def changed(path: str, change: Facts, back: Facts) -> Iterator[None]:
    """Change something of the simulator for the length of a block."""
    control("PUT", path, change)
    try:
        yield
    finally:
        control("PUT", path, back)


def of_every_fate() -> list[str]:
    """Six devices: three that can be reached, three that cannot."""
    return [
        *(registrations(platform=platform)[0] for platform in ("android", "ios", "web")),
        *(registrations(fate=fate)[0] for fate in ("unregistered", "other-sender", "invalid-shape")),
    ]


# The steps


async def sends() -> Facts:
    """One message to a device of each platform, and to an installation."""
    tokens = [registrations(platform=platform)[0] for platform in ("android", "ios", "web")]
    (other,) = registrations()
    fid = other.partition(":")[0]
    return {
        "names": [messaging.send(message(token)) for token in tokens],
        "to_fid": messaging.send(messaging.Message(notification=HELLO, fid=fid)),
        "accepted": [times_accepted(token) for token in (*tokens, other)],
    }


async def full_message() -> Facts:
    """Everything that the library's classes can put into a message, of what the documentation shows."""
    (token,) = registrations()
    return {
        "name": messaging.send(
            messaging.Message(
                token=token,
                data={"order": "17"},
                notification=messaging.Notification("Title", "Body", "https://example.com/image.png"),
                android=messaging.AndroidConfig(
                    collapse_key="order",
                    priority="high",
                    ttl=timedelta(seconds=3600.5),
                    data={"order": "17"},
                    notification=messaging.AndroidNotification(
                        icon="stock_ticker_update",
                        color="#f45342",
                        title_loc_key="title",
                        title_loc_args=["a", "b"],
                        event_timestamp=None,
                        priority="high",
                        vibrate_timings_millis=[100, 200],
                        light_settings=messaging.LightSettings("#aabbcc", 200, 300),
                        visibility="public",
                        notification_count=3,
                    ),
                    fcm_options=messaging.AndroidFCMOptions("label"),
                    direct_boot_ok=True,
                ),
                apns=messaging.APNSConfig(
                    headers={"apns-priority": "10"},
                    payload=messaging.APNSPayload(
                        aps=messaging.Aps(
                            alert=messaging.ApsAlert(title="Title", body="Body"),
                            badge=42,
                            sound=messaging.CriticalSound("default", critical=True, volume=0.5),
                        ),
                        order=17,
                    ),
                    fcm_options=messaging.APNSFCMOptions("label", "https://example.com/image.png"),
                ),
                webpush=messaging.WebpushConfig(
                    headers={"TTL": "60"},
                    notification=messaging.WebpushNotification(
                        title="Title", actions=[messaging.WebpushNotificationAction("open", "Open")], silent=True
                    ),
                    fcm_options=messaging.WebpushFCMOptions(link="https://example.com/"),
                ),
                fcm_options=messaging.FCMOptions("label"),
            )
        )
    }


async def dry_run() -> Facts:
    """Judged, and not delivered."""
    (token,) = registrations()
    name = messaging.send(message(token), dry_run=True)
    batches = (
        messaging.send_each([message(token)], dry_run=True),
        await messaging.send_each_async([message(token)], dry_run=True),
    )
    names = [name, *(each.message_id for response in batches for each in response.responses)]
    return {"names": names, "accepted": times_accepted(token)}


async def errors() -> Facts:
    """One for each thing that can be wrong with a device or a message."""
    found: dict[str, object] = {
        fate: refused(message(registrations(fate=fate)[0]))
        for fate in ("unregistered", "stale", "other-sender", "invalid-shape")
    }
    (token, *_) = registrations()
    found["unregistered-ios"] = refused(message(registrations(fate="unregistered", platform="ios")[0]))
    found["reserved-key"] = refused(messaging.Message(token=token, data={"from": "me"}))
    found["too-large"] = refused(messaging.Message(token=token, data={"text": "x" * 4096}))
    with changed("fcm", {"apns_credential": "invalid"}, {"apns_credential": "valid"}):
        found["third-party"] = refused(message(registrations(platform="ios")[0]))
    with changed("fcm", {"api_enabled": False}, {"api_enabled": True}):
        found["disabled"] = refused(message(token))
    with changed("service", {"fcm": "bad-gateway"}, {"fcm": "ok"}):
        found["bad-gateway"] = refused(message(token))
    return found


async def device_quota() -> Facts:
    """More to one device than it may get in a minute."""
    (token,) = registrations()
    for _ in range(DEVICE_COUNT):
        messaging.send(message(token))
    return refused(message(token))


async def batches() -> Facts:
    """The same devices by every way of sending to many."""
    tokens = of_every_fate()
    messages = [message(token) for token in tokens]
    multicast = messaging.MulticastMessage(tokens=tokens, notification=HELLO)
    return {
        "send_each": batch(messaging.send_each(messages)),
        "multicast": batch(messaging.send_each_for_multicast(multicast)),
        "send_each_async": batch(await messaging.send_each_async(messages)),
        "multicast_async": batch(await messaging.send_each_for_multicast_async(multicast)),
    }


async def topics() -> Facts:
    """Subscribing by the three ways there are, and what then arrives where."""
    followers, (unregistered,) = registrations(3), registrations(fate="unregistered")
    first, second, third = followers
    found: Facts = {
        "subscribed": topic_change(messaging.subscribe_to_topic([first, unregistered], "news")),
        "async": topic_change(await messaging.subscribe_to_topic_async(second, "news")),
        "async_again": topic_change(await messaging.subscribe_to_topic_async([second], "/topics/news")),
        "legacy": topic_change(messaging.subscribe_to_topic_legacy([third, unregistered], "weather")),
        "calls": [calls_to("topic-subscriptions"), calls_to("instance-id")],
    }
    found["name"] = messaging.send(messaging.Message(topic="news", notification=HELLO))
    await_deliveries([first, second])
    found["after_topic"] = [times_accepted(token) for token in followers]

    condition = "'weather' in topics || 'sports' in topics"
    found["condition"] = messaging.send(messaging.Message(condition=condition, notification=HELLO))
    await_deliveries([third])
    found["after_condition"] = [times_accepted(token) for token in followers]

    found["unsubscribed"] = topic_change(messaging.unsubscribe_from_topic([first], "news"))
    found["unsubscribed_again"] = topic_change(messaging.unsubscribe_from_topic([first], "news"))
    found["unsubscribed_async"] = topic_change(await messaging.unsubscribe_from_topic_async(second, "news"))
    found["unsubscribed_legacy"] = topic_change(messaging.unsubscribe_from_topic_legacy(third, "weather"))
    found["followed"] = [
        control("GET", f"tokens/{token}")["registration"]["topics_count"] for token in (first, second, third)
    ]
    return found


async def expired_token() -> Facts:
    """The access token grows old by the simulator's clock. The library knows nothing of it until it is refused."""
    tokens = registrations(2)
    before = calls_to("token")
    control("PUT", "clock", {"advance_ms": 2 * 3_600_000})
    found: Facts = {"name": messaging.send(message(tokens[0])), "renewals": calls_to("token") - before}
    control("PUT", "clock", {"advance_ms": 2 * 3_600_000})
    found["async"] = batch(await messaging.send_each_async([message(tokens[1])]))["answers"]
    found["renewals_async"] = calls_to("token") - before - 1
    found["refused"] = control("GET", "notifications?reason=UNAUTHENTICATED&limit=0")["matched"]
    return found


async def project_quota() -> Facts:
    """More at once than the project may send. `send` waits as long as Retry-After says, and tries again; batches do not."""
    control("PUT", "clock", {"mode": "freeze"})
    control("PUT", "clock", {"advance_ms": 60_000})
    tokens = registrations(PROJECT_COUNT + 1)
    batched = await messaging.send_each_async([message(token) for token in tokens])
    (failed,) = [each.exception for each in batched.responses if not each.success]
    sending = asyncio.create_task(asyncio.to_thread(messaging.send, message(tokens[0])))
    both = await asyncio.to_thread(control, "GET", "notifications?reason=RESOURCE_EXHAUSTED&count=2&wait_s=10&limit=0")
    control("PUT", "clock", {"advance_ms": 60_000})
    return {
        **refusal(failed),
        "retry_after": failed.http_response.headers["retry-after"],
        "refused": both["matched"],
        "name": await sending,
    }


STEPS: tuple[Callable[[], Awaitable[Facts]], ...] = (
    *(sends, full_message, dry_run, errors, device_quota, batches, topics, expired_token, project_quota),
)


async def main() -> None:
    """Take every step, whatever came of the one before. In one event loop: the library keeps connections that belong to it."""
    firebase_admin.initialize_app()
    for step in STEPS:
        try:
            told = await step()
        except Exception:
            told = {"raised": traceback.format_exc()}
        print(json.dumps({"step": step.__name__, **told}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
