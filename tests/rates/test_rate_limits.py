"""The rates of one simulator at work."""

import msgspec
import pytest

from simulator.rates.rate_limits import RateLimits, retry_after_s
from simulator.rates.rates import OFF, RATES, REAL, BucketRate, FanoutRate, Rates, WindowRate

NOW_S = 1_790_000_000.0


def test_real_are_the_figures_of_the_providers() -> None:
    """B5 of the facts; rates without a published figure are not kept."""
    assert Rates() == REAL
    assert {name: row.real for name, row in RATES.items()} == {
        "fcm_project": WindowRate(count=600_000, per_s=60),
        "fcm_android_device_minute": BucketRate(count=240, per_s=60),
        "fcm_android_device_hour": BucketRate(count=5_000, per_s=3_600),
        "fcm_ios_device": None,
        "fcm_topic": None,
        "fcm_fanouts": FanoutRate(concurrent=1_000, deliveries_per_s=10_000),
        "fcm_topic_changes": BucketRate(count=3_000, per_s=1),
        "apns_device": None,
        "apns_connection": None,
        "apns_provider_token": None,
    }


def test_off_leaves_nothing_to_ask() -> None:
    assert RateLimits.of(OFF) == RateLimits()
    assert list(RateLimits.of(OFF).clear_steps()) == []


def test_one_more_than_the_project_may_waits_for_the_rest_of_the_minute() -> None:
    project = RateLimits.of(REAL).project
    assert project is not None
    assert project.count_max == 600_000
    assert project.take_many(600_001, NOW_S) == 600_000
    assert retry_after_s(project.take(NOW_S + 12.5)) == 48


def test_an_android_device_takes_240_a_minute_and_5000_an_hour() -> None:
    device = RateLimits.of(REAL).android_device
    assert device is not None
    taken_at_s = [NOW_S + 0.25 * step for step in range(20_000) if not device.take(b"a", NOW_S + 0.25 * step)]
    assert sum(at_s == NOW_S for at_s in taken_at_s) == 1
    in_an_hour = sum(at_s < NOW_S + 3_600 for at_s in taken_at_s)
    assert in_an_hour == pytest.approx(10_000, abs=2)  # a full bucket and an hour's refill
    assert [device.refuses(b"b", NOW_S) for _ in range(241)].count(False) == 240


@pytest.mark.parametrize(
    ("rate", "part"),
    [
        ("fcm_project", "project"),
        ("fcm_ios_device", "ios_device"),
        ("fcm_topic", "topic"),
        ("fcm_fanouts", "fanouts"),
        ("fcm_topic_changes", "topic_changes"),
        ("apns_device", "apns_device"),
        ("apns_connection", "apns_connection"),
        ("apns_provider_token", "apns_provider_token"),
    ],
)
def test_a_rate_sets_its_own_part_alone(rate: str, part: str) -> None:
    kept = RATES[rate].real or BucketRate(count=1, per_s=60)
    limits = RateLimits.of(msgspec.structs.replace(OFF, **{rate: kept}))
    parts = [name for name in RateLimits.__slots__ if name != "kept"]
    assert [name for name in parts if getattr(limits, name) is not None] == [part]


@pytest.mark.parametrize("kept", ["fcm_android_device_minute", "fcm_android_device_hour"])
def test_either_rate_of_a_device_may_stand_alone(kept: str) -> None:
    limits = RateLimits.of(msgspec.structs.replace(OFF, **{kept: BucketRate(count=2, per_s=60)}))
    assert limits.android_device is not None
    assert [limits.android_device.refuses(b"a", NOW_S) for _ in range(3)] == [False, False, True]
    assert limits.project is None


def test_what_was_used_can_be_forgotten() -> None:
    one = BucketRate(count=1, per_s=60)
    limits = RateLimits.of(
        Rates(
            fcm_project=WindowRate(count=1, per_s=60),
            fcm_android_device_minute=one,
            fcm_ios_device=one,
            fcm_topic=one,
            fcm_fanouts=FanoutRate(concurrent=1, deliveries_per_s=1),
            fcm_topic_changes=one,
            apns_device=one,
            apns_connection=one,
            apns_provider_token=one,
        )
    )
    single = (limits.project, limits.topic_changes)
    of_fcm = (limits.android_device, limits.ios_device, limits.topic)
    keyed = (*of_fcm, limits.apns_device, limits.apns_connection, limits.apns_provider_token)

    def use_up() -> None:
        assert limits.fanouts is not None
        assert limits.fanouts.wait_s(NOW_S) == 0.0
        limits.fanouts.begin(60, NOW_S)
        assert limits.fanouts.wait_s(NOW_S) > 0
        for alone in single:
            assert alone is not None
            assert (alone.take(NOW_S), alone.take(NOW_S) > 0) == (0.0, True)
        for by_key in keyed:
            assert by_key is not None
            assert (by_key.take(b"a", NOW_S), by_key.take(b"a", NOW_S) > 0) == (0.0, True)

    use_up()
    for _ in limits.clear_steps():
        pass
    use_up()


@pytest.mark.parametrize(("wait_s", "whole_s"), [(0.000002, 1), (1.0, 1), (1.000001, 2), (59.2, 60), (60.0, 60)])
def test_retry_after_is_never_too_early(wait_s: float, whole_s: int) -> None:
    assert retry_after_s(wait_s) == whole_s


def test_several_workers_share_what_a_project_and_a_topic_have_and_show_the_whole() -> None:
    topic = BucketRate(count=7, per_s=10, burst=3)
    whole = msgspec.structs.replace(REAL, fcm_topic=topic, apns_device=BucketRate(count=9, per_s=1))
    share = whole.for_worker(2)
    assert share.fcm_project == WindowRate(count=300_000, per_s=60)
    assert share.fcm_topic == BucketRate(count=4, per_s=10, burst=2)
    assert share.fcm_fanouts == FanoutRate(concurrent=500, deliveries_per_s=5_000)
    assert share.fcm_topic_changes == BucketRate(count=1_500, per_s=1)
    assert (share.apns_device, share.fcm_android_device_hour) == (whole.apns_device, whole.fcm_android_device_hour)
    assert OFF.for_worker(32) == OFF
    smallest = msgspec.structs.replace(OFF, fcm_fanouts=FanoutRate(concurrent=1, deliveries_per_s=1))
    assert smallest.for_worker(3) == smallest
    limits = RateLimits.of(msgspec.structs.replace(OFF, fcm_project=WindowRate(count=2, per_s=60)), workers=2)
    assert limits.project is not None
    assert limits.project.take(1.0) == 0 < limits.project.take(1.0)
    assert limits.project.count_max == 2
    assert limits.kept.fcm_project == WindowRate(count=2, per_s=60)
