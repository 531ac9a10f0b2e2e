"""One connection to FCM: what its requests look like, its stream limit, and what its answers do to a campaign."""

import json
from collections import Counter

import pytest

from sender.fcm.access_token import AccessTokenSource
from sender.fcm.provider import STREAMS_MAX
from sender.lane import LaneOptions
from sender.reaction import RetryPolicy
from sender.store.records import Outcome, State
from tests.sender import fcm_answers
from tests.sender.fcm_answers import bad_request, envelope, fcm_error
from tests.sender.scripted_provider import PROJECT, START_S, Listed, ScriptedProvider, due, fcm_delivery
from tests.sender.test_access_token_source import granted, source
from wire.request import whole_fields

NOW_MS = int(START_S * 1000)


def test_a_notification_is_a_whole_fcm_request() -> None:
    sender = fcm_delivery()
    sender.add([due(7)])
    provider = ScriptedProvider(sender)
    provider.send()
    request = provider.unanswered[1]
    assert whole_fields(request, (b":path", b"apns-id")) == (
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"provider.test"),
        (b":path", f"/v1/projects/{PROJECT}/messages:send".encode()),
        (b"content-type", b"application/json; charset=UTF-8"),
        (b"authorization", b"Bearer first"),
    )
    assert json.loads(request.body) == {
        "message": {
            "token": due(7).token,
            "data": {"pushrig_id": "d917ca4b-ae9f-4549-0000-000000000007", "campaign": "sale"},
            "notification": {"title": "hello"},
        }
    }


def test_an_accepted_notification_becomes_one_outcome() -> None:
    sender = fcm_delivery()
    sender.add([due(7)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.answer(1, 200, b'{\n  "name": "projects/shop-1/messages/0:1760000000000000%abc"\n}\n')
    assert sender.take_outcomes() == [Outcome(7, State.ACCEPTED, 200, "", 1, NOW_MS, 0, 0)]


def test_no_connection_has_more_than_a_hundred_requests_under_way_whatever_it_announces() -> None:
    sender = fcm_delivery()
    sender.add([due(number) for number in range(300)])
    provider = ScriptedProvider(sender, streams_max=1_000)
    assert provider.send() == STREAMS_MAX == 100
    assert provider.send() == 0
    provider.answer(provider.first())
    assert provider.send() == 1


def test_our_own_limit_and_a_lower_one_of_the_peer_hold_too() -> None:
    for streams_max, options in ((7, LaneOptions()), (100, LaneOptions(streams_max=7))):
        sender = fcm_delivery()
        sender.add([due(number) for number in range(300)])
        assert ScriptedProvider(sender, streams_max=streams_max, options=options).send() == 7


@pytest.mark.parametrize(
    ("status", "body", "reason", "invalidated"),
    [
        (404, fcm_answers.UNREGISTERED, "UNREGISTERED", True),
        (400, fcm_answers.MALFORMED, "INVALID_ARGUMENT", True),
        (403, envelope(403, "PERMISSION_DENIED", "SenderId mismatch", fcm_error("SENDER_ID_MISMATCH")),
         "SENDER_ID_MISMATCH", False),
    ],
)  # fmt: skip
def test_answers_about_the_device_settle_it_alone(status: int, body: bytes, reason: str, invalidated: bool) -> None:
    sender = fcm_delivery()
    sender.add([due(1), due(2)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.answer(1, status, body)
    assert sender.take_outcomes() == [
        Outcome(1, State.REJECTED, status, reason, 1, NOW_MS, 0, NOW_MS if invalidated else 0)
    ]
    assert sender.stopped is None and sender.counts.rejected == {reason: 1}


def test_a_fault_of_the_message_stops_the_campaign_before_it_burns_a_token() -> None:
    text = "Invalid value at 'message.data[0].value' (TYPE_STRING), 12"
    sender = fcm_delivery()
    sender.add([due(number) for number in range(1_000)])
    provider = ScriptedProvider(sender)
    provider.send()
    for stream_id in list(provider.unanswered):
        provider.answer(
            stream_id, 400, envelope(400, "INVALID_ARGUMENT", text, bad_request(("message.data[0].value", text)))
        )
    assert sender.stopped is not None
    assert "400 INVALID_ARGUMENT" in sender.stopped and f"message.data[0].value: {text}" in sender.stopped
    assert provider.send() == 0
    sender.give_up_ready(START_S)
    outcomes = sender.take_outcomes()
    assert Counter(outcome.state for outcome in outcomes) == {State.GIVEN_UP: 1_000}
    assert not any(outcome.invalidate_at_ms for outcome in outcomes)


def test_the_projects_quota_holds_everything_until_the_time_that_it_names() -> None:
    sender = fcm_delivery()
    sender.add([due(number) for number in range(5)])
    provider = ScriptedProvider(sender, streams_max=2)
    provider.send()
    provider.answer(1, 429, fcm_answers.PROJECT_QUOTA, (b"retry-after", b"20"))
    provider.answer(3)
    assert provider.send() == 0
    (waiting, accepted) = sender.take_outcomes()
    assert (waiting.state, accepted.state) == (State.WAITING, State.ACCEPTED)
    assert START_S + 20 <= waiting.retry_at_ms / 1000 <= START_S + 21
    provider.now_s = START_S + 19.9
    assert provider.send() == 0
    provider.now_s = START_S + 21
    assert provider.send() == 2


def test_the_rate_of_one_device_holds_nobody_else() -> None:
    body = envelope(429, "RESOURCE_EXHAUSTED", "Device message rate exceeded.", fcm_error("QUOTA_EXCEEDED"))
    sender = fcm_delivery()
    sender.add([due(number) for number in range(5)])
    provider = ScriptedProvider(sender, streams_max=2)
    provider.send()
    provider.answer(1, 429, body)
    assert provider.send() == 1
    (waiting,) = sender.take_outcomes()
    assert waiting.retry_at_ms / 1000 >= START_S + 60


def test_a_front_ends_page_of_html_is_tried_again() -> None:
    sender = fcm_delivery()
    sender.add([due(1)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.answer(1, 502, b"<!DOCTYPE html>", (b"content-type", b"text/html"))
    (outcome,) = sender.take_outcomes()
    assert (outcome.state, outcome.status) == (State.WAITING, 502)


def test_nothing_is_sent_before_there_is_an_access_token() -> None:
    held = source()
    sender = fcm_delivery(held)
    sender.add([due(1)])
    provider = ScriptedProvider(sender)
    assert provider.send() == 0 and len(sender.ready) == 1
    held.request(START_S)
    held.answered(granted(), START_S, 0.5)
    assert provider.send() == 1
    assert provider.unanswered[1].head.value(b"authorization") == b"Bearer ya29.one"


def refreshed(held: AccessTokenSource, token: str, now_s: float) -> None:
    assert held.request(now_s) is not None
    held.answered(granted(token), now_s, 0.5)


def test_an_access_token_that_is_refused_is_renewed_once_for_all_who_were_refused_with_it() -> None:
    held = source()
    refreshed(held, "ya29.one", START_S - 100)
    sender = fcm_delivery(held)
    sender.add([due(number) for number in range(5)])
    provider = ScriptedProvider(sender)
    provider.send()
    streams = list(provider.unanswered)
    for stream_id in streams[:4]:
        provider.answer(stream_id, 401, fcm_answers.EXPIRED)
    assert provider.send() == 0, "all wait for the new one"
    refreshed(held, "ya29.two", START_S)
    assert provider.send() == 4
    provider.answer(streams[4], 401, fcm_answers.EXPIRED)  # late, and of the old one
    assert held.text(START_S) == b"Bearer ya29.two"
    assert provider.send() == 1
    assert {request.head.value(b"authorization") for request in provider.unanswered.values()} == {b"Bearer ya29.two"}
    for stream_id in list(provider.unanswered):
        provider.answer(stream_id)
    assert Counter(outcome.state for outcome in sender.take_outcomes()) == {State.ACCEPTED: 5}


def test_a_notification_meets_no_more_refusals_than_it_has_attempts() -> None:
    sender = fcm_delivery(Listed([b"Bearer x"]), RetryPolicy(attempts_max=3))
    sender.add([due(1)])
    provider = ScriptedProvider(sender)
    for _ in range(3):
        assert provider.send() == 1
        provider.answer(provider.first(), 401, fcm_answers.EXPIRED)
    assert provider.send() == 0
    assert [outcome.state for outcome in sender.take_outcomes()] == [State.GIVEN_UP]


def test_a_goaway_of_fcm_ends_the_connection_and_nothing_else() -> None:
    sender = fcm_delivery()
    sender.add([due(1), due(2)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.server.goaway(last_stream_id=1, debug=b"exceeded_max_concurrent_streams")
    provider.exchange()
    assert provider.lane.draining and "exceeded_max_concurrent_streams" in provider.lane.why
    assert sender.stopped is None and [each.device_id for each in sender.ready] == [2]
