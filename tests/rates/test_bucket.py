"""Token buckets, alone and by key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rates.bucket import Bucket, KeyedBuckets
from simulator.rates.rates import BucketRate

NOW_S = 1_790_000_000.125
MINUTE = BucketRate(count=240, per_s=60)
HOUR = BucketRate(count=5_000, per_s=3_600)
TRIES = 10_000  # more than any bucket here holds


def _taken_at_once(bucket: Bucket, now_s: float) -> int:
    return sum(bucket.take(now_s) == 0.0 for _ in range(TRIES))


@pytest.mark.parametrize(
    ("rate", "burst"),
    [(MINUTE, 240), (HOUR, 5_000), (BucketRate(count=7, per_s=60), 7), (BucketRate(count=20, per_s=3_600, burst=3), 3)],
)
def test_a_rested_bucket_gives_its_burst_and_no_more(rate: BucketRate, burst: int) -> None:
    bucket = Bucket(rate)
    assert _taken_at_once(bucket, NOW_S) == burst
    assert _taken_at_once(bucket, NOW_S + rate.per_s * burst / rate.count + 1) == burst


def test_it_refills_evenly() -> None:
    bucket = Bucket(MINUTE)
    _taken_at_once(bucket, NOW_S)
    assert bucket.take(NOW_S) == pytest.approx(0.25, abs=1e-5)
    assert bucket.take(NOW_S + 0.125) == pytest.approx(0.125, abs=1e-5)
    assert _taken_at_once(bucket, NOW_S + 10) == 40


def test_a_refusal_takes_nothing() -> None:
    bucket = Bucket(MINUTE)
    _taken_at_once(bucket, NOW_S)
    assert {bucket.take(NOW_S + 0.1) for _ in range(100)} == {bucket.take(NOW_S + 0.1)}


def test_a_clock_that_went_back_further_than_a_refill_finds_it_full() -> None:
    bucket = Bucket(MINUTE)
    _taken_at_once(bucket, NOW_S)
    assert _taken_at_once(bucket, NOW_S - 61) == 240


def test_cleared_it_is_full() -> None:
    bucket = Bucket(MINUTE)
    _taken_at_once(bucket, NOW_S)
    bucket.clear()
    assert _taken_at_once(bucket, NOW_S) == 240


_RATES = st.builds(
    BucketRate,
    count=st.integers(1, 1_000),
    per_s=st.sampled_from([0.01, 0.1, 1.0, 60.0, 3_600.0]),
    burst=st.none() | st.integers(1, 20),
)
_PAUSES_S = st.lists(st.floats(0, 5) | st.just(0.0), max_size=80)


@given(_RATES, _PAUSES_S)
def test_after_the_wait_there_is_one_to_take(rate: BucketRate, pauses_s: list[float]) -> None:
    bucket, now_s = Bucket(rate), NOW_S
    for pause_s in pauses_s:
        now_s += pause_s
        wait_s = bucket.take(now_s)
        assert 0 <= wait_s <= rate.per_s / rate.count + 1e-5
        if wait_s:
            assert bucket.take(now_s + wait_s - 1e-5) > 0 or wait_s <= 1e-5
            now_s += wait_s
            assert bucket.take(now_s) == 0.0


@given(_RATES, _PAUSES_S)
def test_no_span_of_time_gives_more_than_burst_and_refill(rate: BucketRate, pauses_s: list[float]) -> None:
    bucket, now_s = Bucket(rate), NOW_S
    taken_s: list[float] = []
    for pause_s in pauses_s:
        now_s += pause_s
        if bucket.take(now_s) == 0.0:
            taken_s.append(now_s)
    for at, begins_s in enumerate(taken_s):
        for count, ends_s in enumerate(taken_s[at:], start=1):
            assert count <= rate.burst_count + (ends_s - begins_s) * rate.count / rate.per_s + 1e-3


# By key


def _taken_of(buckets: KeyedBuckets, key: object, now_s: float) -> int:
    return sum(not buckets.refuses(key, now_s) for _ in range(TRIES))


def test_every_key_has_buckets_of_its_own() -> None:
    buckets = KeyedBuckets(MINUTE)
    assert _taken_of(buckets, b"a", NOW_S) == 240
    assert _taken_of(buckets, b"b", NOW_S) == 240
    assert buckets.take(b"a", NOW_S) == pytest.approx(0.25, abs=1e-5)


def test_of_several_rates_all_hold_and_the_longest_wait_counts() -> None:
    buckets = KeyedBuckets(MINUTE, HOUR)
    taken, now_s = 0, NOW_S
    for _ in range(2 * TRIES):
        wait_s = buckets.take(b"a", now_s)
        if wait_s > 0.25 + 1e-5:
            break
        taken, now_s = taken + (not wait_s), now_s + wait_s
    # The burst of the hour, and what it refilled while the minute's rate held it up.
    assert taken == pytest.approx(5_000 + (now_s - NOW_S) / 0.72, abs=2)
    assert now_s - NOW_S == pytest.approx((taken - 240) * 0.25, abs=1)


@given(_RATES, st.lists(st.tuples(st.integers(0, 3), st.floats(0, 5) | st.just(0.0)), max_size=80))
def test_a_key_fares_as_a_bucket_of_its_own(rate: BucketRate, steps: list[tuple[int, float]]) -> None:
    buckets, alone, now_s = KeyedBuckets(rate), {key: Bucket(rate) for key in range(4)}, NOW_S
    for key, pause_s in steps:
        now_s += pause_s
        assert buckets.take(key, now_s) == alone[key].take(now_s)


def test_a_million_devices_need_memory_for_those_that_are_filling() -> None:
    """At ten thousand a second, of which each takes 0.72 s to be full again."""
    buckets, most = KeyedBuckets(MINUTE, HOUR), 0
    for index in range(50_000):
        assert buckets.take(index, NOW_S + index / 10_000) == 0.0
        most = max(most, len(buckets))
    assert 7_200 <= most < 10_000


def test_at_the_bound_one_that_is_filling_goes_and_the_busiest_stay() -> None:
    buckets = KeyedBuckets(MINUTE, keys_max=100)
    assert _taken_of(buckets, b"busy", NOW_S) == 240
    for index in range(1_000):
        assert buckets.take(index, NOW_S) == 0.0
        assert len(buckets) <= 100
    assert buckets.refuses(b"busy", NOW_S)


def test_a_key_that_had_to_go_begins_with_a_full_bucket() -> None:
    buckets = KeyedBuckets(MINUTE, keys_max=1)
    assert _taken_of(buckets, b"a", NOW_S) == 240
    assert buckets.take(b"b", NOW_S) == 0.0
    assert len(buckets) == 1
    assert _taken_of(buckets, b"a", NOW_S) == 240


def test_full_buckets_go_before_those_that_are_filling() -> None:
    buckets = KeyedBuckets(MINUTE, keys_max=100)
    for index in range(99):
        buckets.take(index, NOW_S)
    buckets.take(b"filling", NOW_S + 1)
    for index in range(99):
        buckets.take(1_000 + index, NOW_S + 1)
    assert _taken_of(buckets, b"filling", NOW_S + 1) == 239


def test_cleared_all_are_full_at_the_first_step() -> None:
    buckets = KeyedBuckets(MINUTE)
    for index in range(5_000):
        buckets.take(index, NOW_S)
    _taken_of(buckets, 0, NOW_S)
    steps = buckets.clear_steps()
    next(steps)
    assert _taken_of(buckets, 0, NOW_S) == 240
    assert len(list(steps)) == 2
    assert len(buckets) == 1
