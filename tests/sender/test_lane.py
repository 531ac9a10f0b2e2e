"""One connection of the sender against the server end of `wire`: limits obeyed, nothing lost, nothing sent twice unasked."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sender.lane import LaneOptions
from sender.notification_id import notification_id_prefix
from sender.reaction import RetryPolicy
from sender.store.records import Outcome, State
from tests.sender.scripted_provider import PAYLOAD, START_S, ScriptedProvider, delivery, due
from wire.errors import ErrorCode
from wire.frames import INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, STREAM_ID_MAX
from wire.request import whole_fields


def test_a_notification_is_a_whole_apns_request() -> None:
    sender = delivery()
    sender.add([due(7)])
    provider = ScriptedProvider(sender)
    provider.send()
    request = provider.unanswered[1]
    assert whole_fields(request, (b":path", b"apns-id")) == (
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"provider.test"),
        (b":path", b"/3/device/" + due(7).token.encode()),
        (b"apns-topic", b"com.example.app"),
        (b"apns-push-type", b"alert"),
        (b"authorization", b"bearer first"),
        (b"apns-id", b"d917ca4b-ae9f-4549-0000-000000000007"),
    )
    assert request.body == PAYLOAD


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**48 - 1))
def test_ids_are_canonical_uuids_that_name_campaign_and_device(key: int, device_id: int) -> None:
    text = notification_id_prefix(key) + b"%012x" % device_id
    assert [len(part) for part in text.split(b"-")] == [8, 4, 4, 4, 12]
    assert int(text.replace(b"-", b""), 16) == key << 64 | device_id


def test_an_accepted_notification_becomes_one_outcome() -> None:
    sender = delivery()
    sender.add([due(7)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.answer(1)
    assert sender.take_outcomes() == [Outcome(7, State.ACCEPTED, 200, "", 1, int(START_S * 1000), 0, 0)]
    assert sender.claimed == 0


def test_nothing_is_sent_before_the_server_has_said_its_settings() -> None:
    sender = delivery()
    sender.add([due(1)])
    provider = ScriptedProvider.__new__(ScriptedProvider)
    from sender.lane import Lane

    provider.lane = Lane(sender, LaneOptions(), START_S)
    assert provider.lane.fill(START_S, 10) == 0


def test_one_stream_then_a_thousand() -> None:
    sender = delivery()
    sender.add([due(number) for number in range(50)])
    provider = ScriptedProvider(sender, streams_max=1)
    assert provider.send() == 1
    assert provider.send() == 0
    provider.server.change_settings({MAX_CONCURRENT_STREAMS: 1_000})
    provider.answer(1)
    assert provider.send() == 49


def test_a_lowered_stream_limit_is_respected_at_once() -> None:
    sender = delivery()
    sender.add([due(number) for number in range(10)])
    provider = ScriptedProvider(sender, streams_max=4)
    assert provider.send() == 4
    provider.server.change_settings({MAX_CONCURRENT_STREAMS: 1})
    provider.exchange()
    provider.answer(1)
    provider.answer(3)
    provider.answer(5)
    assert provider.send() == 0  # one is still open
    provider.answer(7)
    assert provider.send() == 1


def test_a_full_window_stops_the_lane_and_an_update_sets_it_going() -> None:
    sender = delivery()
    count = 65_535 // len(PAYLOAD) + 10
    sender.add([due(number) for number in range(count)])
    provider = ScriptedProvider(sender, streams_max=10_000, options=LaneOptions(streams_max=10_000))
    provider.server.inbound_window_max = 0  # as if nothing were consumed: no WINDOW_UPDATE
    assert provider.send() == 65_535 // len(PAYLOAD)
    assert provider.send() == 0
    provider.server.widen_window(10 * len(PAYLOAD))
    provider.exchange()
    assert provider.send() == 10


def test_bodies_larger_than_a_stream_window_arrive_whole() -> None:
    sender = delivery()
    sender.add([due(1)])
    provider = ScriptedProvider(sender)
    provider.server.change_settings({INITIAL_WINDOW_SIZE: 5})
    provider.exchange()
    provider.send()
    assert provider.unanswered[1].body == PAYLOAD


def test_a_payload_too_large_for_apns_is_refused_here_and_harms_no_other() -> None:
    sender = delivery()
    sizes = {1: 4_096, 2: 4_097, 3: 10}
    payloads = iter([b"x" * size for size in sizes.values()])
    sender.provider.body_of = lambda due: next(payloads)
    sender.add([due(number) for number in sizes])
    provider = ScriptedProvider(sender)
    assert provider.send() == 2
    (outcome,) = sender.take_outcomes()
    assert (outcome.device_id, outcome.state, outcome.reason, outcome.status) == (
        2,
        State.REJECTED,
        "PayloadTooLarge",
        0,
    )


def test_goaway_resends_exactly_the_streams_above_its_id_and_waits_for_the_others() -> None:
    sender = delivery()
    sender.add([due(number) for number in range(4)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.server.goaway(last_stream_id=3)
    provider.exchange()
    assert [each.device_id for each in sender.ready] == [2, 3]
    assert [each.attempts for each in sender.ready] == [0, 0]
    assert not provider.lane.finished
    provider.answer(1)
    provider.answer(3)
    assert provider.lane.finished
    assert Counter(outcome.state for outcome in sender.take_outcomes()) == {State.ACCEPTED: 2}


def test_a_lost_connection_gives_everything_back_as_an_attempt() -> None:
    sender = delivery()
    sender.add([due(number) for number in range(3)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.answer(1)
    provider.lane.lost(START_S)
    outcomes = sender.take_outcomes()
    assert [(outcome.device_id, outcome.state, outcome.attempts) for outcome in outcomes] == [
        (0, State.ACCEPTED, 1),
        (1, State.WAITING, 1),
        (2, State.WAITING, 1),
    ]


def test_a_refused_stream_is_sent_again_elsewhere_without_counting() -> None:
    sender = delivery()
    sender.add([due(1), due(2)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.server.reset(1, ErrorCode.REFUSED_STREAM)
    provider.exchange()
    assert [(each.device_id, each.attempts) for each in sender.ready] == [(1, 0)]
    assert provider.lane.draining and provider.send() == 0


def test_only_final_answers_make_a_connection_one_that_served() -> None:
    """What was refused or told to come back says nothing for the next attempt to connect."""
    sender = delivery()
    sender.add([due(number) for number in range(3)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.reject(1, 503, "ServiceUnavailable")
    assert provider.lane.settled == 0
    provider.answer(3)
    provider.reject(5, 400, "BadDeviceToken")
    assert provider.lane.settled == 2


@pytest.mark.parametrize("code", [ErrorCode.INTERNAL_ERROR, ErrorCode.STREAM_CLOSED, 0xFF])
def test_any_other_reset_is_a_failed_attempt(code: int) -> None:
    sender = delivery()
    sender.add([due(1)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.server.reset(1, code)
    provider.exchange()
    (outcome,) = sender.take_outcomes()
    assert (outcome.state, outcome.attempts) == (State.WAITING, 1)
    assert outcome.retry_at_ms > START_S * 1000


def test_a_silent_stream_is_given_up_alone() -> None:
    sender = delivery()
    sender.add([due(1), due(2)])
    provider = ScriptedProvider(sender, options=LaneOptions(answer_timeout_s=30.0))
    provider.send()
    provider.answer(3)
    assert provider.lane.tick(START_S + 29)
    assert provider.lane.in_flight
    provider.lane.tick(START_S + 31)
    assert not provider.lane.in_flight
    assert [outcome.state for outcome in sender.take_outcomes()] == [State.ACCEPTED, State.WAITING]
    provider.exchange()
    assert provider.server.failed is None and not provider.server.is_open(1)


def test_a_silent_peer_is_pinged_and_then_given_up() -> None:
    sender = delivery()
    sender.add([due(1)])
    provider = ScriptedProvider(sender, options=LaneOptions(ping_after_s=5.0, ping_timeout_s=10.0))
    provider.send()
    assert provider.lane.tick(START_S + 6)
    assert provider.lane.data_to_send()  # the PING, which nobody answers
    assert provider.lane.tick(START_S + 15)
    assert not provider.lane.tick(START_S + 17)


def test_an_expired_provider_token_is_renewed_once_for_all_who_were_refused_with_it() -> None:
    token = [b"bearer first"]
    sender = delivery(token=token)
    sender.add([due(number) for number in range(5)])
    provider = ScriptedProvider(sender)
    provider.send()
    for stream_id in list(provider.unanswered):
        provider.reject(stream_id, 403, "ExpiredProviderToken")
    assert token == [b"bearer first+"]
    assert provider.send() == 5
    assert {request.head.value(b"authorization") for request in provider.unanswered.values()} == {b"bearer first+"}


def test_what_all_notifications_have_in_common_stops_the_campaign() -> None:
    sender = delivery()
    sender.add([due(number) for number in range(100)])
    provider = ScriptedProvider(sender, streams_max=1)
    provider.send()
    provider.reject(1, 400, "TopicDisallowed")
    assert sender.stopped is not None and "TopicDisallowed" in sender.stopped
    assert provider.send() == 0
    sender.give_up_ready(START_S)
    assert Counter(outcome.state for outcome in sender.take_outcomes()) == {State.GIVEN_UP: 100}


def test_a_certificate_of_the_other_environment_stops_the_campaign() -> None:
    sender = delivery()
    sender.add([due(1)])
    provider = ScriptedProvider(sender)
    provider.server.goaway(last_stream_id=0, debug=b'{"reason":"BadCertificateEnvironment"}')
    provider.exchange()
    assert sender.stopped is not None and "BadCertificateEnvironment" in sender.stopped


def test_a_shutdown_moves_the_notification_to_another_connection_at_once() -> None:
    sender = delivery()
    sender.add([due(1), due(2)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.reject(1, 503, "Shutdown")
    assert [(each.device_id, each.attempts) for each in sender.ready] == [(1, 1)]
    assert provider.send() == 0
    provider.answer(3)
    assert provider.lane.finished


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"reason":5}', b'{"reason":"\xff"}', b'{"reason":"Odd"}'])
def test_a_strange_error_body_is_judged_by_its_status(body: bytes) -> None:
    sender = delivery()
    sender.add([due(1), due(2)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.answer(1, 502, body)
    provider.answer(3, 404, body)
    assert [outcome.state for outcome in sender.take_outcomes()] == [State.WAITING, State.REJECTED]


def test_an_answer_that_comes_after_its_time_is_nobodys() -> None:
    sender = delivery()
    sender.add([due(1)])
    provider = ScriptedProvider(sender)
    provider.send()
    provider.server.answer(1, b"\x88")
    late = provider.server.data_to_send()
    provider.lane.tick(START_S + 60)
    sender.take_outcomes()
    provider.lane.received(late, START_S + 61)
    assert sender.take_outcomes() == [] and provider.lane.connection.failed is None


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["accept", "reject", "retry", "renew", "refuse", "reset", "goaway", "lose", "silence", "shutdown"]
        ),
        st.integers(0, 1_000),
    ),
    max_size=60,
)


@settings(max_examples=150)
@given(EVENTS)
def test_whatever_the_provider_does_each_notification_ends_as_one_outcome(events: list[tuple[str, int]]) -> None:
    sender = delivery(RetryPolicy(attempts_max=3))
    total = 20
    sender.add([due(number) for number in range(total)])
    provider = ScriptedProvider(sender, streams_max=5)
    outcomes: list[Outcome] = []

    def settle() -> None:
        for outcome in sender.take_outcomes():
            if outcome.state is State.WAITING:  # what the store would do when its time has come
                sender.add([due(outcome.device_id, outcome.attempts)])
            else:
                outcomes.append(outcome)

    now_s = START_S
    for event, number in [*events, *[("accept", 0)] * 200]:
        if provider.lane.finished or provider.lane.draining:
            if provider.lane.in_flight:
                provider.lane.lost(now_s)
            provider = ScriptedProvider(sender, streams_max=5, now_s=now_s)
        provider.send()
        streams = list(provider.unanswered)
        if streams:
            stream_id = streams[number % len(streams)]
            match event:
                case "accept":
                    provider.answer(stream_id)
                case "reject":
                    provider.reject(stream_id, 410, "Unregistered", 1)
                case "retry":
                    provider.reject(stream_id, 429, "TooManyRequests")
                case "renew":
                    provider.reject(stream_id, 403, "ExpiredProviderToken")
                case "shutdown":
                    provider.reject(stream_id, 503, "Shutdown")
                case "refuse" | "reset":
                    del provider.unanswered[stream_id]
                    code = ErrorCode.REFUSED_STREAM if event == "refuse" else ErrorCode.CANCEL
                    provider.server.reset(stream_id, code)
                    provider.exchange()
                case "goaway":
                    provider.server.goaway(last_stream_id=stream_id)
                    provider.exchange()
                case "lose":
                    provider.lane.lost(now_s)
                case "silence":
                    now_s += 60
                    provider.now_s = now_s
                    provider.lane.tick(now_s)
                    provider.unanswered.clear()
                    provider.exchange()
        settle()
    assert sorted(outcome.device_id for outcome in outcomes) == list(range(total))
    assert sender.claimed == 0 and not sender.ready
    assert all(1 <= outcome.attempts <= 3 for outcome in outcomes)


def test_at_the_end_of_the_stream_ids_connections_are_rotated_without_a_loss() -> None:
    sender = delivery()
    sender.add([due(number) for number in range(10)])
    options = LaneOptions(first_stream_id=STREAM_ID_MAX - 4)
    stored: list[Outcome] = []
    for left in (7, 4, 1):
        provider = ScriptedProvider(sender, options=options)
        provider.send()
        assert (len(sender.ready), provider.lane.room) == (left, 0), "no more are taken than there are stream ids"
        assert not provider.lane.finished, "what is in flight is waited for"
        for stream_id in list(provider.unanswered):
            provider.answer(stream_id)
        assert provider.lane.finished
        stored += sender.take_outcomes()
    assert sorted(outcome.device_id for outcome in stored) == list(range(9))
    assert {outcome.state for outcome in stored} == {State.ACCEPTED}
