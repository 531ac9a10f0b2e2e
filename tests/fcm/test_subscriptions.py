"""Who follows what: both directions agree, everything is bounded, and a fan-out stands changes between its slices."""

import tracemalloc
from collections.abc import Iterable
from contextlib import AbstractContextManager
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.bounds import BoundReachedError
from simulator.fcm import subscriptions as module
from simulator.fcm.condition import parse_condition
from simulator.fcm.subscriptions import TOPICS_A_REGISTRATION_MAX, Addition, Subscription, Subscriptions

NOW_S = 1_790_000_000.75


def _chunks_of(count: int) -> AbstractContextManager[int]:
    return patch.object(module, "CHUNK_REGISTRATIONS_MAX", count)


def _following(topic: str, *registrations: bytes) -> Subscriptions:
    subscriptions = Subscriptions()
    for registration in registrations:
        assert subscriptions.add(registration, topic, NOW_S) is Addition.ADDED
    return subscriptions


def _met(slices: Iterable[list[bytes]]) -> list[bytes]:
    return [registration for part in slices for registration in part]


def test_a_registration_that_follows_a_topic_is_found_from_both_sides() -> None:
    subscriptions = _following("news", b"one")
    assert subscriptions.of_registration(b"one") == [Subscription("news", 1_790_000_000)]
    assert subscriptions.get(b"one", "news") == Subscription("news", 1_790_000_000)
    assert _met(subscriptions.of_topic("news")) == [b"one"]
    assert (len(subscriptions), subscriptions.topics_count, subscriptions.count_of_topic("news")) == (1, 1, 1)


def test_what_nobody_follows_is_empty() -> None:
    subscriptions = _following("news", b"one")
    assert subscriptions.get(b"one", "sport") is None
    assert subscriptions.get(b"two", "news") is None
    assert subscriptions.of_registration(b"two") == []
    assert (_met(subscriptions.of_topic("sport")), subscriptions.count_of_topic("sport")) == ([], 0)


def test_following_again_keeps_the_first_instant() -> None:
    subscriptions = _following("news", b"one")
    assert subscriptions.add(b"one", "news", NOW_S + 86_400) is Addition.PRESENT
    assert subscriptions.get(b"one", "news") == Subscription("news", 1_790_000_000)


def test_a_registration_that_leaves_its_last_topic_leaves_nothing_behind() -> None:
    subscriptions = _following("news", b"one")
    assert subscriptions.remove(b"one", "news")
    assert not subscriptions.remove(b"one", "news")
    assert (len(subscriptions), subscriptions.topics_count) == (0, 0)


def test_a_registration_follows_2000_topics_and_no_more() -> None:
    subscriptions = Subscriptions()
    for number in range(TOPICS_A_REGISTRATION_MAX):
        assert subscriptions.add(b"one", f"topic-{number}", NOW_S) is Addition.ADDED
    assert subscriptions.add(b"one", "one-more", NOW_S) is Addition.TOO_MANY_TOPICS
    assert subscriptions.add(b"one", "topic-5", NOW_S) is Addition.PRESENT
    assert len(subscriptions) == subscriptions.topics_count == TOPICS_A_REGISTRATION_MAX == 2_000
    assert subscriptions.remove(b"one", "topic-5")
    assert subscriptions.add(b"one", "one-more", NOW_S) is Addition.ADDED


def test_at_the_bound_of_subscriptions_a_further_one_is_refused_and_nothing_changed() -> None:
    subscriptions = Subscriptions(subscriptions_max=1)
    subscriptions.add(b"one", "news", NOW_S)
    with pytest.raises(BoundReachedError, match="SUBSCRIPTIONS_MAX"):
        subscriptions.add(b"two", "sport", NOW_S)
    assert subscriptions.add(b"one", "news", NOW_S) is Addition.PRESENT
    assert (len(subscriptions), subscriptions.topics_count, subscriptions.of_registration(b"two")) == (1, 1, [])


def test_at_the_bound_of_topics_a_further_one_is_refused_and_nothing_changed() -> None:
    subscriptions = Subscriptions(topics_max=1)
    subscriptions.add(b"one", "news", NOW_S)
    with pytest.raises(BoundReachedError, match="TOPICS_MAX"):
        subscriptions.add(b"one", "sport", NOW_S)
    assert subscriptions.add(b"two", "news", NOW_S) is Addition.ADDED
    assert (len(subscriptions), subscriptions.topics_count) == (2, 1)


def test_a_fan_out_keeps_the_order_of_coming_and_its_slices_their_size() -> None:
    registrations = [b"%d" % number for number in range(10)]
    with _chunks_of(4):
        slices = list(_following("news", *registrations).of_topic("news", slice_max=3))
    assert [len(part) for part in slices] == [3, 1, 3, 1, 2]
    assert _met(slices) == registrations


def test_those_who_follow_all_the_while_are_met_once_while_others_come_and_go() -> None:
    with _chunks_of(2):
        subscriptions = _following("news", *(b"%d" % number for number in range(8)))
        fan_out = subscriptions.of_topic("news", slice_max=1)
        met = next(fan_out)
        for leaving in (b"0", b"5", b"6", b"7"):
            subscriptions.remove(leaving, "news")
        for number in range(20):
            subscriptions.add(b"late %d" % number, "news", NOW_S)
        met += _met(fan_out)
    assert [each for each in met if not each.startswith(b"late")] == [b"0", b"1", b"2", b"3", b"4"]
    assert len(met) == len(set(met))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("'news' in topics", {b"news", b"both"}),
        ("'news' in topics || 'sport' in topics", {b"news", b"sport", b"both"}),
        ("'sport' in topics || 'news' in topics", {b"news", b"sport", b"both"}),
        ("'news' in topics && 'sport' in topics", {b"both"}),
        ("'news' in topics && !('sport' in topics)", {b"news"}),
        ("!('news' in topics)", {b"sport", b"other", b"many"}),
        ("'topic-11' in topics && !('news' in topics)", {b"many"}),
        ("'unheard' in topics", set()),
    ],
)
def test_a_condition_meets_each_registration_for_which_it_holds_once(condition: str, expected: set[bytes]) -> None:
    subscriptions = Subscriptions()
    for registration, topic in (
        (b"both", "sport"),
        (b"both", "news"),
        (b"news", "news"),
        (b"sport", "sport"),
        (b"other", "weather"),
        *((b"many", f"topic-{number}") for number in range(12)),
    ):
        subscriptions.add(registration, topic, NOW_S)
    parsed = parse_condition(condition)
    assert parsed is not None
    met = _met(subscriptions.matching(parsed, slice_max=1))
    assert (len(met), set(met)) == (len(expected), expected)


def test_clearing_forgets_all_at_its_first_step() -> None:
    subscriptions = _following("news", *(b"%d" % number for number in range(5_000)))
    steps = subscriptions.clear_steps()
    next(steps)
    assert (len(subscriptions), subscriptions.topics_count, _met(subscriptions.of_topic("news"))) == (0, 0, [])
    subscriptions.add(b"new", "news", NOW_S)
    assert sum(1 for _ in steps) > 1
    assert _met(subscriptions.of_topic("news")) == [b"new"]


def test_a_subscription_takes_less_than_160_bytes_also_when_others_came_and_went() -> None:
    registrations = [b"c%021d" % number for number in range(20_000)]
    tracemalloc.start()
    subscriptions = Subscriptions()
    for registration in registrations:
        subscriptions.add(bytes(bytearray(registration)), "news", NOW_S)
    for registration in registrations:
        subscriptions.add(registration, "sport", NOW_S)
        subscriptions.remove(registration, "sport")
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / len(registrations) < 160


def test_a_topic_that_lost_nearly_all_its_registrations_takes_little_memory() -> None:
    registrations = [b"%d" % number for number in range(4_096)]
    subscriptions = Subscriptions()
    tracemalloc.start()
    for registration in registrations:
        subscriptions.add(registration, "news", NOW_S)
    for registration in registrations[1:]:
        subscriptions.remove(registration, "news")
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Some 150 KB are left, in tables by registration that held 16 each; the topic's own would be as much again.
    assert taken < 220_000


_STEPS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([b"a", b"b", b"c", b"d"]), st.sampled_from(["x", "y", "z"])), max_size=60
)


@given(_STEPS)
def test_any_comings_and_goings_leave_what_a_set_of_pairs_would_hold(steps: list[tuple[bool, bytes, str]]) -> None:
    pairs: dict[tuple[bytes, str], None] = {}
    with _chunks_of(2):
        subscriptions = Subscriptions()
        for adds, registration, topic in steps:
            pair = (registration, topic)
            if adds:
                expected = Addition.PRESENT if pair in pairs else Addition.ADDED
                assert subscriptions.add(registration, topic, NOW_S) is expected
                pairs[pair] = None
            else:
                assert subscriptions.remove(registration, topic) is (pair in pairs)
                pairs.pop(pair, None)
    assert len(subscriptions) == len(pairs)
    assert subscriptions.topics_count == len({topic for _, topic in pairs})
    for topic in ("x", "y", "z"):
        met = _met(subscriptions.of_topic(topic))
        assert sorted(met) == sorted(registration for registration, name in pairs if name == topic)
        assert subscriptions.count_of_topic(topic) == len(met)
    for registration in (b"a", b"b", b"c", b"d"):
        topics = [each.topic for each in subscriptions.of_registration(registration)]
        assert topics == [topic for known, topic in pairs if known == registration]
