"""Messages to topics and conditions: answered at once, delivered slice by slice to each registration alone."""

import time

import pytest

from simulator.devices.fates import Fate
from simulator.devices.registration_space import Platform, fid_of
from simulator.fcm.fan_out import FanOut, FanOuts
from simulator.fcm.message import Message, SendRequest
from simulator.fcm.service import IOS_WORK, SLICE_WORK_MAX
from simulator.fcm.state import ApnsCredential
from simulator.registry import DeviceState
from tests.fcm.service_account import NOW_S, PROJECT_ID
from tests.fcm.valid_send import CONNECTION_ID, SEED, STREAM_ID, Bench, Send, token_of

TO_NEWS = Send().to("topic", "news")


def key_of(index: int, fate: Fate = Fate.ACTIVE, platform: Platform = Platform.ANDROID) -> bytes:
    key = fid_of(token_of(index, fate, platform).encode())
    assert key is not None
    return key


def following(topics: dict[bytes, str]) -> Bench:
    """A simulator whose registrations follow these topics, several in one text with spaces between."""
    bench = Bench()
    for key, names in topics.items():
        for name in names.split():
            bench.fcm.subscriptions.add(key, name, NOW_S)
    return bench


# What comes of it


def test_each_registration_that_follows_the_topic_gets_it_once_and_is_counted_alone() -> None:
    followers = {key_of(index): "news" for index in range(300)} | {key_of(index): "sports" for index in range(300, 310)}
    bench = following(followers)
    bench.rig.ledger.declare(SEED, 310)
    answer = bench.send(TO_NEWS)
    assert answer.status == 200
    (view,) = bench.rig.ledger.view().populations
    assert view.never == 310  # the answer waits for nothing
    assert bench.deliver() > 1
    (view,) = bench.rig.ledger.view().populations
    assert (view.accepted_once, view.accepted_more, view.rejected, view.never) == (300, 0, 0, 10)
    counters = bench.rig.counters
    assert (counters.notifications, counters.accepted, counters.topic_deliveries) == (1, 1, 300)


def test_the_journal_has_the_message_and_then_each_delivery_under_its_name() -> None:
    bench = following({key_of(1): "news", key_of(2, Fate.STALE): "news"})
    body = bench.send(TO_NEWS).body
    bench.now_s += 2
    bench.deliver()
    message, first, second = bench.rows()
    assert (message.token, message.status, message.reason) == (b"/topics/news", 200, None)
    assert message.message_id.isdigit()
    assert body == b'{\n  "name": "projects/%b/messages/%b"\n}\n' % (PROJECT_ID.encode(), message.message_id)
    assert [(row.token, row.status, row.reason) for row in (first, second)] == [
        (key_of(1), 200, None),
        (key_of(2, Fate.STALE), 404, "UNREGISTERED"),
    ]
    for row in (first, second):
        assert (row.provider, row.message_id, row.body) == ("fcm", message.message_id, message.body)
        assert (row.connection_id, row.stream_id, row.path) == (CONNECTION_ID, STREAM_ID, message.path)
        assert row.at_ms == message.at_ms + 2_000


def test_who_has_gone_or_is_refused_by_apns_gets_nothing_and_the_others_do() -> None:
    dead = [key_of(1, Fate.UNREGISTERED), key_of(2, Fate.STALE), key_of(3, Fate.OTHER_SENDER)]
    bench = following(
        dict.fromkeys([*dead, key_of(4), key_of(5, platform=Platform.IOS), key_of(6), b"x" * 120], "news")
    )
    bench.fcm.apns_credential = ApnsCredential.INVALID
    bench.fcm.overlay.set(key_of(6), DeviceState(Fate.UNREGISTERED, 0))
    assert bench.send(TO_NEWS).status == 200
    bench.deliver()
    assert [bench.mark(index) for index in range(1, 7)] == [
        (0, True),
        (0, True),
        (0, True),
        (1, False),
        (0, True),
        (0, True),
    ]
    counters = bench.rig.counters
    assert (counters.topic_deliveries, counters.topic_deliveries_refused) == (2, 5)  # the foreign one is alive
    (view,) = bench.rig.ledger.view().populations
    assert view.answers_by_reason == {"UNREGISTERED": 3, "SENDER_ID_MISMATCH": 1, "THIRD_PARTY_AUTH_ERROR": 1}
    assert counters.rejected == 0  # the message was accepted


@pytest.mark.parametrize(
    ("condition", "reached"),
    [
        ("'news' in topics", {1, 3}),
        ("'news' in topics && 'sports' in topics", {3}),
        ("'news' in topics || 'sports' in topics", {1, 2, 3}),
        ("'news' in topics && !('sports' in topics)", {1}),
        ("!('news' in topics)", {2, 4}),
        # From left to right: (news || sports) && tv.
        ("'news' in topics || 'sports' in topics && 'tv' in topics", {3}),
        ("'nobody' in topics", set()),
    ],
)
def test_a_condition_reaches_whom_it_holds_for(condition: str, reached: set[int]) -> None:
    bench = following({key_of(1): "news", key_of(2): "sports", key_of(3): "news sports tv", key_of(4): "tv"})
    bench.send(Send().to("condition", condition))
    bench.deliver()
    assert {index for index in range(1, 5) if bench.mark(index) == (1, False)} == reached
    assert bench.rows()[0].token == condition.encode()


def test_a_topic_that_nobody_follows_is_accepted_all_the_same() -> None:
    bench = Bench()
    assert bench.send(TO_NEWS).status == 200
    bench.deliver()
    assert len(bench.rows()) == 1


def test_a_dry_run_reaches_nobody() -> None:
    bench = following({key_of(1): "news"})
    assert b"fake_message_id" in bench.send(TO_NEWS.dry).body
    assert not bench.service.delivering
    assert bench.mark(1) == (0, False)


def test_messages_are_delivered_in_the_order_in_which_they_came() -> None:
    bench = following({key_of(index): "news" for index in range(3)})
    for _ in range(2):
        bench.send(TO_NEWS)
    bench.deliver()
    ids = [row.message_id for row in bench.rows()]
    assert ids == [ids[0], ids[1], *[ids[0]] * 3, *[ids[1]] * 3]


# Slices


@pytest.mark.parametrize(("platform", "work"), [(Platform.ANDROID, 1), (Platform.IOS, IOS_WORK)])
def test_no_slice_is_more_than_its_share_of_work_and_none_is_lost(platform: Platform, work: int) -> None:
    count = 1_000
    bench = following({key_of(index, platform=platform): "news" for index in range(count)})
    bench.send(TO_NEWS)
    reached = []
    while bench.service.delivering:
        before = bench.rig.counters.topic_deliveries
        bench.service.deliver_slice()
        reached.append(bench.rig.counters.topic_deliveries - before)
    assert sum(reached) == count
    assert max(reached) * work < SLICE_WORK_MAX + work
    assert {bench.mark(index) for index in range(count)} == {(1, False)}


def test_no_slice_takes_long() -> None:
    """The lowest of five tries, since the machine may have other things to do."""
    mixed = {key_of(index, platform=Platform(index % 3)): "news" for index in range(2_000)}
    bench = following(mixed)
    slowest_s = []
    for _ in range(5):
        bench.send(TO_NEWS)
        slices_s = []
        while bench.service.delivering:
            begun_s = time.process_time()
            bench.service.deliver_slice()
            slices_s.append(time.process_time() - begun_s)
        slowest_s.append(sorted(slices_s)[-2])  # the first touches a page of the ledger
    assert min(slowest_s) < 0.005


def test_who_comes_and_goes_meanwhile_disturbs_nothing() -> None:
    bench = following({key_of(index): "news" for index in range(500)})
    bench.send(TO_NEWS)
    bench.service.deliver_slice()
    for index in range(499, 400, -1):
        bench.fcm.subscriptions.remove(key_of(index), "news")
    bench.fcm.subscriptions.add(key_of(500), "news", NOW_S)
    bench.deliver()
    assert {bench.mark(index) for index in range(400)} == {(1, False)}


# The queue


def _fan_out(slices: list[list[bytes]], body: bytes = b"{}") -> FanOut:
    return FanOut(SendRequest(Message(topic="news")), iter(slices), Send(body=body).request(), b"1", CONNECTION_ID)


def test_what_is_put_back_comes_next() -> None:
    fan_outs = FanOuts()
    first, second = _fan_out([[b"a", b"b", b"c"], [b"d"]]), _fan_out([[b"e"]])
    fan_outs.add(first)
    fan_outs.add(second)
    given = [fan_outs.next_slice()]
    fan_outs.put_back([b"b", b"c"])
    while (found := fan_outs.next_slice()) is not None:
        given.append(found)
    expected = [(first, [b"a", b"b", b"c"]), (first, [b"b", b"c"]), (first, [b"d"]), (second, [b"e"])]
    assert given == expected
    assert len(fan_outs) == 0


def test_no_more_wait_than_the_bound_says() -> None:
    fan_outs = FanOuts(waiting_max=2)
    fan_outs.add(_fan_out([]))
    assert not fan_outs.full
    fan_outs.add(_fan_out([]))
    assert fan_outs.full
    assert fan_outs.next_slice() is None
    assert not fan_outs.full


def test_nor_more_bytes_of_bodies() -> None:
    fan_outs = FanOuts(body_bytes_max=100)
    for expected in (False, True):
        fan_outs.add(_fan_out([[b"a"]], body=b"x" * 60))
        assert fan_outs.full is expected
    for _ in range(2):
        fan_outs.next_slice()
    assert not fan_outs.full  # the first is through
    fan_outs.add(_fan_out([[b"a"]], body=b"x" * 60))
    fan_outs.clear()
    assert (len(fan_outs), fan_outs.full, fan_outs.next_slice()) == (0, False, None)
    fan_outs.add(_fan_out([[b"b"]], body=b"x" * 99))
    assert not fan_outs.full


def test_a_queue_that_is_cleared_in_the_middle_of_a_slice_goes_on_with_the_next_message() -> None:
    bench = following({key_of(index, platform=Platform.IOS): "news" for index in range(100)})
    bench.send(TO_NEWS)
    bench.service.deliver_slice()
    reached = bench.rig.counters.topic_deliveries
    assert 0 < reached < 100
    bench.fcm.fan_outs.clear()
    assert bench.deliver() == 0
    bench.send(TO_NEWS)
    bench.deliver()
    assert bench.rig.counters.topic_deliveries == reached + 100


def test_a_reset_of_the_subscriptions_ends_a_fan_out_early_and_in_good_order() -> None:
    bench = following({key_of(index): "news" for index in range(1_000)})
    for send in (TO_NEWS, Send().to("condition", "!('sports' in topics)")):
        bench.send(send)
    bench.service.deliver_slice()
    for _ in bench.fcm.subscriptions.clear_steps():
        bench.service.deliver_slice()
    bench.deliver()
    assert bench.send(TO_NEWS).status == 200
    assert bench.deliver() <= 1
