"""What a load test records: bounded however long it lasts, and the same however it is divided among processes."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.recording import (
    BUCKET_BITS,
    INTERVALS_MAX,
    LATE_MS,
    IntervalCounts,
    Recording,
    Since,
    bucket,
    percentile,
)
from loadtest.tally import OTHER_REASONS, REASONS_MAX
from sender.delivery import Counts


def counts(**changed: object) -> Counts:
    valid: dict[str, object] = {
        "sent": 10,
        "accepted": 7,
        "rejected": Counter({"Unregistered": 2}),
        "latency_ms": Counter({4: 8, 9: 2}),
        "latency_not_final_ms": Counter({9: 1}),
    }
    return Counts(**(valid | changed))  # type: ignore[arg-type]


def test_in_a_closed_loop_latencies_over_time_count_from_sending() -> None:
    recording = Recording()
    recording.counted(3.2, "apns", counts(), {"stream reset": 1}, scheduled=False)
    recording.counted(3.9, "fcm", counts(), {}, scheduled=False)
    interval = recording.intervals[3]
    assert (interval.sent, interval.accepted) == (20, 14)
    assert (interval.rejected, interval.given_up) == ({"Unregistered": 4}, {"stream reset": 1})
    assert interval.latency_ms == {4: 16, 9: 2}
    assert recording.latencies(Since.SENT, "apns") == {4: 8, 9: 1}
    assert recording.latencies(Since.SENT) == {4: 16, 9: 2}
    assert recording.latencies(Since.SCHEDULED) == {}


def test_with_a_schedule_they_stand_where_the_notification_was_scheduled_and_count_from_there() -> None:
    recording = Recording()
    recording.arrived(1.5, 10, 0.004, no_room=False)
    recording.counted(4.0, "apns", counts(), {}, scheduled=True)
    recording.answered(1.5, "apns", 2_500, 9)
    assert recording.intervals[1] == IntervalCounts(scheduled=10, late_ms=4, latency_ms={bucket(2_500, 6): 9})
    assert recording.intervals[4].latency_ms == {}
    assert recording.latencies(Since.SCHEDULED) == {bucket(2_500, BUCKET_BITS): 9}
    assert recording.latencies(Since.SENT) == {4: 8, 9: 1}


def test_the_rate_by_the_schedule_stands_beside_that_of_handing_out_over_all_processes() -> None:
    recording, other = Recording(), Recording()
    assert (recording.scheduled_per_s, recording.reached_per_s) == (None, None)
    recording.arrived(1.0, 500, 0.0, no_room=False)
    recording.arrived(2.0, 500, 0.5, no_room=False)
    assert (recording.scheduled_per_s, recording.reached_per_s) == (500, 400)
    other.arrived(1.9, 1_000, 0.1, no_room=False)
    recording.add(other.take())
    assert (recording.scheduled_per_s, recording.reached_per_s) == (1_000, 800)
    assert other == Recording()


def test_batches_that_are_late_are_marked_and_for_want_of_room_apart() -> None:
    recording = Recording()
    recording.arrived(0.0, 10, LATE_MS / 1000, no_room=True)
    assert recording.late == 0
    recording.arrived(0.0, 10, LATE_MS / 1000 + 0.001, no_room=True)
    recording.arrived(5.0, 20, 3.0, no_room=False)
    assert (recording.scheduled, recording.late, recording.late_for_room, recording.late_ms_max) == (40, 30, 10, 3_000)
    assert recording.intervals[5].late_ms == 3_000


@given(st.integers(0, 10**9))
def test_a_bucket_is_no_wider_than_a_thousandth(latency_ms: int) -> None:
    found = bucket(latency_ms, BUCKET_BITS)
    assert found <= latency_ms <= found * 1.001 + 0.5
    assert bucket(found, BUCKET_BITS) == found


def test_a_day_takes_no_more_intervals_than_an_hour() -> None:
    recording = Recording()
    for second in range(86_400):
        recording.arrived(second, 5, 0.0, no_room=False)
    assert len(recording.intervals) <= INTERVALS_MAX
    assert recording.interval_s == 128
    assert sum(interval.scheduled for interval in recording.intervals.values()) == 5 * 86_400
    assert recording.intervals[1].scheduled == 5 * 128


def test_reasons_beyond_the_bound_are_counted_together() -> None:
    recording = Recording()
    many = Counter({f"reason {number}": 1 for number in range(REASONS_MAX + 10)})
    recording.counted(0.0, "apns", counts(rejected=many), {}, scheduled=False)
    assert recording.intervals[0].rejected[OTHER_REASONS] == 10


Arrivals = st.lists(st.tuples(st.floats(0, 5_000), st.integers(1, 9), st.integers(0, 50_000)), max_size=30)


@given(Arrivals, st.lists(st.booleans(), min_size=30, max_size=30))
def test_recordings_of_several_processes_add_up_to_that_of_one(
    arrivals: list[tuple[float, int, int]], first: list[bool]
) -> None:
    whole, one, other = Recording(), Recording(), Recording()
    for (at_s, count, latency_ms), mine in zip(arrivals, first, strict=False):
        for each in (whole, one if mine else other):
            each.arrived(at_s, count, latency_ms / 10_000, no_room=mine)
            each.answered(at_s, "apns", latency_ms, count)
    sent_over = msgspec.json.decode(msgspec.json.encode(other), type=Recording)
    one.add(sent_over)
    assert one == whole


def test_what_was_taken_is_forgotten_here_and_adds_up_there() -> None:
    recording, total = Recording(), Recording()
    for at_s in (0.5, 1.5, 900.0, 2_000.0):
        recording.answered(at_s, "apns", 5, 1)
        total.add(recording.take())
        assert recording == Recording()
    assert total.latencies(Since.SCHEDULED) == {5: 4}
    assert total.interval_s == 2


def test_the_longer_intervals_of_two_recordings_stand() -> None:
    coarse, fine = Recording(interval_s=4, intervals={1: IntervalCounts(sent=7)}), Recording()
    fine.arrived(5.0, 2, 0.0, no_room=False)
    fine.arrived(1.0, 3, 0.0, no_room=False)
    fine.add(coarse)
    assert fine.interval_s == 4
    assert fine.intervals == {0: IntervalCounts(scheduled=3), 1: IntervalCounts(scheduled=2, sent=7)}


@pytest.mark.parametrize(("share", "expected"), [(0.5, 10), (0.75, 20), (0.99, 30), (1.0, 30)])
def test_percentiles_are_by_nearest_rank(share: float, expected: int) -> None:
    assert percentile({20: 1, 10: 2, 30: 1}, share) == expected


def test_no_answers_have_no_percentiles() -> None:
    assert percentile({}, 0.5) == 0
