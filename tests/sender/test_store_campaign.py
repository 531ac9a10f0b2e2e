"""Campaigns in the device store: begun, resumed, finished; claims, results and feedback of one exchange."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sender.segment import EVERYONE, Segment, parse
from sender.store import campaigns
from sender.store.device_store import DeviceStore
from sender.store.errors import (
    CampaignChangedError,
    CampaignError,
    CampaignFinishedError,
    CampaignTakenError,
    StoreBusyError,
)
from sender.store.records import Campaign, DeviceRow, Due, Outcome, State

TOPIC = "com.example.app"
REGISTERED_AT_MS = 1_760_000_000_000
NOW_MS = REGISTERED_AT_MS + 1_000_000
KEY = 2**64 - 1


def token(number: int) -> str:
    return random.Random(number).randbytes(32).hex()


def row(number: int, topic: str = TOPIC, registered_at_ms: int = REGISTERED_AT_MS) -> DeviceRow:
    country = ("DE", "FR", "US")[number % 3]
    return DeviceRow(token(number), "apns", topic, registered_at_ms, {"country": country, "number": str(number)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "devices.db"


@pytest.fixture
def store(path: Path) -> Iterator[DeviceStore]:
    with DeviceStore.open(path, create=True, busy_timeout_s=0.01) as opened:
        opened.import_rows(row(number) for number in range(10))
        yield opened


def begin(store: DeviceStore, name: str = "sale", segment: Segment = EVERYONE) -> Campaign:
    return store.begin_campaign(name, TOPIC, b"digest", segment, NOW_MS, key=KEY)


def accepted(due: Due) -> Outcome:
    return Outcome(due.device_id, State.ACCEPTED, 200, "", due.attempts + 1, NOW_MS, 0, 0)


def rejected(due: Due, invalidate_at_ms: int, reason: str = "Unregistered") -> Outcome:
    return Outcome(due.device_id, State.REJECTED, 410, reason, due.attempts + 1, NOW_MS, 0, invalidate_at_ms)


def waiting(due: Due, retry_at_ms: int) -> Outcome:
    return Outcome(due.device_id, State.WAITING, 429, "TooManyRequests", due.attempts + 1, NOW_MS, retry_at_ms, 0)


def given_up(due: Due) -> Outcome:
    return Outcome(due.device_id, State.GIVEN_UP, 503, "ServiceUnavailable", due.attempts + 1, NOW_MS, 0, 0)


def ids(due: list[Due]) -> list[int]:
    return [one.device_id for one in due]


@pytest.mark.parametrize("sizes", [[32] * 6, [128] * 6, [32, 33, 128, 32, 64, 32], [33, 32]])
def test_tokens_of_all_lengths_come_out_as_they_went_in(path: Path, sizes: list[int]) -> None:
    tokens = [random.Random(number).randbytes(size).hex() for number, size in enumerate(sizes)]
    with DeviceStore.open(path, create=True) as store:
        for each in tokens:
            store.import_rows([DeviceRow(each, "apns", TOPIC, REGISTERED_AT_MS, {"country": "DE"})])
        campaign = begin(store)
        due = store.exchange(campaign, [], len(sizes), NOW_MS).due
        assert [one.token for one in due] == tokens
        # Those that wait come by the time they are due, which turns them round here.
        outcomes = [waiting(one, NOW_MS + 9 - number) for number, one in enumerate(due)]
        store.exchange(campaign, outcomes, 0, NOW_MS)
        again = store.exchange(campaign, [], len(sizes), NOW_MS + 9)
        assert [one.token for one in again.due] == tokens[::-1]


def test_a_due_notification_carries_what_sending_needs(store: DeviceStore) -> None:
    (due,) = store.exchange(begin(store), [], 1, NOW_MS).due
    device = store.device(due.token)
    assert device is not None
    assert due == Due(device.device_id, device.token, REGISTERED_AT_MS, 0, device.attributes)
    assert b'"number"' in due.attributes


def test_attributes_are_left_out_where_nobody_needs_them(store: DeviceStore) -> None:
    campaign = store.begin_campaign("c", TOPIC, b"", EVERYONE, 0, key=0, with_attributes=False)
    assert {due.attributes for due in store.exchange(campaign, [], 99, NOW_MS).due} == {b"{}"}


def test_each_device_is_claimed_once_in_the_order_of_ids(store: DeviceStore) -> None:
    campaign = begin(store)
    claimed: list[int] = []
    exhausted = []
    for _ in range(4):
        exchange = store.exchange(campaign, [], 4, NOW_MS)
        claimed += ids(exchange.due)
        exhausted.append(exchange.exhausted)
    assert claimed == list(range(1, 11))
    assert exhausted == [False, False, True, True]
    assert store.standing(campaign).in_flight == 10


def test_only_valid_devices_of_provider_topic_and_segment_are_claimed(store: DeviceStore) -> None:
    store.import_rows([row(20, "com.example.other"), DeviceRow("f" * 40, "fcm", TOPIC, 5, {"country": "DE"})])
    first = begin(store, "first")
    (due,) = store.exchange(first, [], 1, NOW_MS).due
    store.exchange(first, [rejected(due, NOW_MS)], 0, NOW_MS)
    campaign = begin(store, segment=parse('country = "DE"'))
    expected = {token(number) for number in range(10) if number % 3 == 0} - {due.token}
    assert store.remaining(campaign) == len(expected)
    exchange = store.exchange(campaign, [], 99, NOW_MS)
    assert {one.token for one in exchange.due} == expected
    assert exchange.exhausted


def test_devices_registered_meanwhile_are_reached_too(store: DeviceStore, path: Path) -> None:
    campaign = begin(store)
    assert store.exchange(campaign, [], 99, NOW_MS).exhausted
    with DeviceStore.open(path) as other:
        other.import_rows([row(11)])
    assert [due.token for due in store.exchange(campaign, [], 99, NOW_MS).due] == [token(11)]


def test_waiting_notifications_come_back_when_they_fall_due_and_before_others(store: DeviceStore) -> None:
    campaign = begin(store)
    one, two = store.exchange(campaign, [], 2, NOW_MS).due
    exchange = store.exchange(campaign, [waiting(one, NOW_MS + 500), waiting(two, NOW_MS + 400)], 1, NOW_MS)
    assert ids(exchange.due) == [3]
    assert exchange.next_retry_at_ms == NOW_MS + 400
    exchange = store.exchange(campaign, [], 1, NOW_MS + 400)
    assert exchange.due == [two._replace(attempts=1)]
    assert exchange.next_retry_at_ms == NOW_MS + 500
    exchange = store.exchange(campaign, [], 2, NOW_MS + 500)
    assert ids(exchange.due) == [one.device_id, 4]
    assert exchange.next_retry_at_ms is None
    assert store.standing(campaign).in_flight == 4


def test_more_waiting_than_wanted_stay_due(store: DeviceStore) -> None:
    campaign = begin(store)
    due = store.exchange(campaign, [], 5, NOW_MS).due
    exchange = store.exchange(campaign, [waiting(one, NOW_MS) for one in due], 2, NOW_MS)
    assert ids(exchange.due) == [1, 2]
    assert exchange.next_retry_at_ms == NOW_MS
    assert not exchange.exhausted


def test_a_campaign_is_not_exhausted_while_anything_waits(store: DeviceStore) -> None:
    campaign = begin(store)
    due = store.exchange(campaign, [], 99, NOW_MS).due
    outcomes = [waiting(due[0], NOW_MS + 1), *map(accepted, due[1:])]
    assert not store.exchange(campaign, outcomes, 99, NOW_MS).exhausted
    (again,) = store.exchange(campaign, [], 99, NOW_MS + 1).due
    assert store.exchange(campaign, [accepted(again)], 99, NOW_MS + 2) == ([], None, True)


def test_a_waiting_notification_whose_token_died_is_closed_unsent(store: DeviceStore) -> None:
    campaign = begin(store)
    one, two, three = store.exchange(campaign, [], 3, NOW_MS).due
    store.exchange(campaign, [waiting(due, NOW_MS + 1) for due in (one, two, three)], 0, NOW_MS)
    other = begin(store, "other")
    store.exchange(other, [rejected(store.exchange(other, [], 1, NOW_MS).due[0], NOW_MS)], 0, NOW_MS)
    store.import_rows([row(n, "com.moved", NOW_MS) for n in range(10) if token(n) == two.token])
    exchange = store.exchange(campaign, [], 3, NOW_MS + 1)
    assert ids(exchange.due) == [three.device_id, 4, 5]
    assert store.summary(campaign).reasons == {(State.REJECTED, 0, campaigns.TOKEN_INVALIDATED): 2}


@pytest.mark.parametrize(("later_ms", "dies"), [(-1, False), (0, False), (1, True)])
def test_feedback_kills_a_token_only_when_later_than_its_registration(
    store: DeviceStore, later_ms: int, dies: bool
) -> None:
    campaign = begin(store)
    (due,) = store.exchange(campaign, [], 1, NOW_MS).due
    store.exchange(campaign, [rejected(due, REGISTERED_AT_MS + later_ms)], 0, NOW_MS)
    device = store.device(due.token)
    assert device is not None and (device.invalidated_at_ms is not None) == dies
    assert store.standing(campaign).invalidated == int(dies)


def test_feedback_looks_at_the_registration_of_that_moment(store: DeviceStore) -> None:
    campaign = begin(store)
    (due,) = store.exchange(campaign, [], 1, NOW_MS).due
    number = next(number for number in range(10) if token(number) == due.token)
    store.import_rows([row(number, registered_at_ms=NOW_MS + 1)])
    store.exchange(campaign, [rejected(due, NOW_MS)], 0, NOW_MS)
    assert store.counts().invalidated == 0


def test_of_two_deaths_the_later_counts_and_only_the_first_as_new(store: DeviceStore) -> None:
    one, two = begin(store, "one"), begin(store, "two")
    (due,) = store.exchange(one, [], 1, NOW_MS).due
    store.exchange(two, [], 1, NOW_MS)
    store.exchange(one, [rejected(due, NOW_MS, "ExpiredToken")], 0, NOW_MS)
    store.exchange(two, [rejected(due, NOW_MS + 7)], 0, NOW_MS)
    (dead,) = store.invalidated()
    assert (dead.invalidated_at_ms, dead.invalid_reason) == (NOW_MS + 7, "Unregistered")
    assert (store.standing(one).invalidated, store.standing(two).invalidated) == (1, 0)


def test_an_outcome_that_was_not_asked_for_is_refused_whole(store: DeviceStore) -> None:
    campaign = begin(store)
    one, two = store.exchange(campaign, [], 2, NOW_MS).due
    strange = accepted(two)._replace(device_id=9)
    for outcomes in ([accepted(one), strange], [accepted(one), accepted(one)]):
        with pytest.raises(ValueError, match="not in flight"):
            store.exchange(campaign, outcomes, 5, NOW_MS)
    store.exchange(campaign, [accepted(one)], 0, NOW_MS)
    with pytest.raises(ValueError, match="not in flight"):
        store.exchange(campaign, [accepted(one)], 0, NOW_MS)
    assert store.summary(campaign).states[State.ACCEPTED] == 1


def test_no_more_are_in_flight_than_the_bound_allows(store: DeviceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "IN_FLIGHT_MAX", 4)
    campaign = begin(store)
    due = store.exchange(campaign, [], 99, NOW_MS).due
    assert len(due) == 4
    assert store.exchange(campaign, [], 99, NOW_MS) == ([], None, False)
    assert len(store.exchange(campaign, [accepted(due[0])], 99, NOW_MS).due) == 1


def test_an_exchange_that_fails_has_not_happened(store: DeviceStore, path: Path) -> None:
    campaign = begin(store)
    due = store.exchange(campaign, [], 3, NOW_MS).due
    with DeviceStore.open(path) as other:
        other._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError):
            store.exchange(campaign, list(map(accepted, due)), 3, NOW_MS)
        other._connection.execute("ROLLBACK")
    exchange = store.exchange(campaign, list(map(accepted, due)), 3, NOW_MS)
    assert ids(exchange.due) == [4, 5, 6]


def test_what_was_in_flight_when_the_sender_died_is_uncertain_and_due_first(path: Path, store: DeviceStore) -> None:
    campaign = begin(store)
    one, two, three, four = store.exchange(campaign, [], 4, NOW_MS).due
    store.exchange(campaign, [accepted(one), waiting(two, NOW_MS + 5)], 0, NOW_MS)
    store.exchange(campaign, [], 1, NOW_MS + 5)  # the second is in flight again
    store.close()
    with DeviceStore.open(path) as reopened:
        resumed = begin(reopened)
        assert (resumed.run, resumed.uncertain, resumed.given_up) == (2, 3, 0)
        assert (resumed.campaign_id, resumed.key) == (campaign.campaign_id, KEY)
        assert reopened.remaining(resumed) == 9
        exchange = reopened.exchange(resumed, [], 4, 0)
        assert exchange.due[:3] == [two._replace(attempts=1), three, four]
        assert ids(exchange.due) == [2, 3, 4, 5]
        assert reopened.standing(resumed).uncertain == 3
        assert begin(reopened).uncertain == 4
        assert reopened.standing(begin(reopened)).uncertain == 7


def test_given_up_notifications_rest_until_the_next_run_and_begin_anew(store: DeviceStore) -> None:
    campaign = begin(store)
    due = store.exchange(campaign, [], 99, NOW_MS).due
    exchange = store.exchange(campaign, [given_up(due[0]), *map(accepted, due[1:])], 99, NOW_MS + 10**9)
    assert exchange == ([], None, True)
    assert store.remaining(campaign) == 1
    assert not store.finish_campaign(campaign, NOW_MS)
    again = begin(store)
    assert (again.uncertain, again.given_up) == (0, 1)
    exchange = store.exchange(again, [], 99, 1)
    assert exchange.due == [due[0]]
    store.exchange(again, [accepted(due[0])], 0, NOW_MS)
    assert store.finish_campaign(again, NOW_MS)


def test_a_campaign_finishes_only_when_nothing_is_left(store: DeviceStore) -> None:
    campaign = begin(store)
    assert not store.finish_campaign(campaign, NOW_MS), "devices are unclaimed"
    due = store.exchange(campaign, [], 99, NOW_MS).due
    assert not store.finish_campaign(campaign, NOW_MS), "notifications are in flight"
    store.exchange(campaign, [waiting(due[0], NOW_MS), *map(accepted, due[1:])], 0, NOW_MS)
    assert not store.finish_campaign(campaign, NOW_MS), "one waits"
    (last,) = store.exchange(campaign, [], 1, NOW_MS).due
    store.exchange(campaign, [rejected(last, 0)], 0, NOW_MS)
    assert store.standing(campaign).finished_at_ms is None
    assert store.finish_campaign(campaign, NOW_MS + 9)
    assert store.standing(campaign).finished_at_ms == NOW_MS + 9


def test_a_finished_campaign_is_not_begun_again(store: DeviceStore) -> None:
    campaign = begin(store)
    store.exchange(campaign, list(map(accepted, store.exchange(campaign, [], 99, NOW_MS).due)), 0, NOW_MS)
    assert store.finish_campaign(campaign, NOW_MS)
    with pytest.raises(CampaignFinishedError, match="choose another name"):
        begin(store)
    with pytest.raises(CampaignTakenError):
        store.exchange(campaign, [], 1, NOW_MS)
    assert begin(store, "another").run == 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"topic": "com.other"}, "topic"),
        ({"payload_digest": b"other"}, "payload"),
        ({"segment": parse('country = "DE"')}, "segment"),
    ],
)
def test_a_campaign_is_resumed_only_as_it_began(store: DeviceStore, changed: dict[str, object], field: str) -> None:
    given: dict[str, object] = {
        "topic": TOPIC,
        "payload_digest": b"digest",
        "segment": EVERYONE,
        "now_ms": NOW_MS,
        "key": KEY,
    }
    store.begin_campaign("sale", **given)  # type: ignore[arg-type]
    with pytest.raises(CampaignChangedError, match=f"'sale' began with .*{field}.* choose another name"):
        store.begin_campaign("sale", **{**given, **changed})  # type: ignore[arg-type]
    assert store.begin_campaign("sale", **given).run == 2  # type: ignore[arg-type]


def test_a_segment_may_be_spelled_otherwise_when_resumed(store: DeviceStore) -> None:
    begin(store, segment=parse('country="DE"'))
    assert begin(store, segment=parse("country  =  'DE'")).run == 2


def test_a_later_run_takes_the_campaign_from_one_that_still_lives(path: Path, store: DeviceStore) -> None:
    old = begin(store)
    due = store.exchange(old, [], 2, NOW_MS).due
    with DeviceStore.open(path) as other:
        new = begin(other)
        assert new.uncertain == 2
        with pytest.raises(CampaignTakenError, match="taken over by a later run"):
            store.exchange(old, list(map(accepted, due)), 5, NOW_MS)
        with pytest.raises(CampaignTakenError):
            store.finish_campaign(old, NOW_MS)
        assert sum(other.summary(new).states.values()) == 2
        assert ids(other.exchange(new, [], 99, NOW_MS).due) == list(range(1, 11))


def test_a_campaign_of_another_store_object_is_refused(path: Path, store: DeviceStore) -> None:
    with DeviceStore.open(path) as other, pytest.raises(ValueError, match="not begun with this store object"):
        other.exchange(begin(store), [], 1, NOW_MS)


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb"])
def test_a_campaign_needs_a_name_that_can_be_printed(store: DeviceStore, name: str) -> None:
    with pytest.raises(CampaignError, match="printable characters"):
        begin(store, name)


def test_the_summary_counts_by_state_and_reason(store: DeviceStore) -> None:
    campaign = begin(store)
    due = store.exchange(campaign, [], 9, NOW_MS).due
    outcomes = [*map(accepted, due[:4]), *(rejected(one, NOW_MS) for one in due[4:6]), waiting(due[6], NOW_MS)]
    store.exchange(campaign, [*outcomes, given_up(due[7])], 0, NOW_MS)
    (again,) = store.exchange(campaign, [], 1, NOW_MS).due
    store.exchange(campaign, [accepted(again)], 0, NOW_MS)
    summary = store.summary(campaign)
    assert summary.states == {State.ACCEPTED: 5, State.REJECTED: 2, State.WAITING: 0, State.GIVEN_UP: 1}
    assert summary.reasons == {
        (State.REJECTED, 410, "Unregistered"): 2,
        (State.GIVEN_UP, 503, "ServiceUnavailable"): 1,
    }
    standing = store.standing(campaign)
    assert (summary.retried, standing.in_flight, standing.invalidated) == (1, 1, 2)


def test_a_campaign_and_imports_share_the_store(path: Path) -> None:
    """Thousands of devices are sent to by one thread while another imports more and registers old ones anew."""
    with DeviceStore.open(path, create=True) as store:
        store.import_rows(row(number) for number in range(2_000))

        def import_more() -> None:
            with DeviceStore.open(path) as other:
                for part in range(5):
                    other.import_rows(
                        row(number, registered_at_ms=REGISTERED_AT_MS + part + 1)
                        for number in range(part * 400, 2_400 + part * 400)
                    )

        campaign = begin(store)
        importer = threading.Thread(target=import_more)
        importer.start()
        sent: list[int] = []
        outcomes: list[Outcome] = []
        while True:
            running = importer.is_alive()
            exchange = store.exchange(campaign, outcomes, 100, NOW_MS)
            sent += ids(exchange.due)
            outcomes = list(map(accepted, exchange.due))
            if not outcomes and exchange.exhausted and not running:
                break
        importer.join()
        assert sorted(sent) == list(range(1, 4_001))
        assert store.finish_campaign(campaign, NOW_MS)
        assert store.summary(campaign).states[State.ACCEPTED] == 4_000


def test_the_store_may_be_used_by_a_thread_other_than_its_opener(store: DeviceStore) -> None:
    campaign = begin(store)
    found: list[Due] = []
    thread = threading.Thread(target=lambda: found.extend(store.exchange(campaign, [], 99, NOW_MS).due))
    thread.start()
    thread.join()
    assert len(found) == 10


KILLED_CAMPAIGN = """
import sys
from sender.segment import EVERYONE
from sender.store.device_store import DeviceStore
from sender.store.records import Outcome, State
store = DeviceStore.open(sys.argv[1])
campaign = store.begin_campaign("sale", "com.example.app", b"digest", EVERYONE, 1, key=7)
outcomes = []
while True:
    due = store.exchange(campaign, outcomes, 16, 1).due
    for one in due:  # what is sent, after it was claimed
        print(one.device_id, flush=True)
    outcomes = [Outcome(one.device_id, State.ACCEPTED, 200, "", 1, 1, 0, 0) for one in due]
"""


def test_a_campaign_killed_at_any_moment_loses_nothing_and_repeats_no_more_than_it_says(path: Path) -> None:
    with DeviceStore.open(path, create=True) as store:
        store.import_rows(row(number) for number in range(3_000))
    before_kill = random.Random(5).randrange(100, 1_000)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_CAMPAIGN, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    sent = [int(process.stdout.readline()) for _ in range(before_kill)]
    process.send_signal(signal.SIGKILL)
    sent += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
    process.wait()
    process.stdout.close()
    with DeviceStore.open(path) as store:
        campaign = store.begin_campaign("sale", TOPIC, b"digest", EVERYONE, 1, key=8)
        assert campaign.key == 7
        assert campaign.uncertain <= 16
        outcomes: list[Outcome] = []
        while due := store.exchange(campaign, outcomes, 500, 1).due:
            sent += ids(due)
            outcomes = list(map(accepted, due))
        assert set(sent) == set(range(1, 3_001)), "nothing is lost"
        assert len(sent) - 3_000 <= campaign.uncertain
        assert store.finish_campaign(campaign, NOW_MS)
