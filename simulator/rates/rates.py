"""Which rates the providers keep, with figures and sources: one row each.

`Rates` is the one list: `--limits real` is its defaults, `--limits FILE` (`rates_file`) changes them by name, and a test
compares `docs/settings.md` with it. What the simulator itself bears of its clients is another matter: `simulator.limits`.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, get_args

import msgspec

COUNT_MAX = 10_000_000
PERIOD_S_MIN = 0.01  # With `COUNT_MAX` a nanosecond for each: the unit that buckets count in.
PERIOD_S_MAX = 2_678_400  # A month.
CONCURRENT_MAX = 100_000
DELIVERIES_PER_S_MAX = 1_000_000_000

_Count = Annotated[int, msgspec.Meta(ge=1, le=COUNT_MAX)]
_Period = Annotated[float, msgspec.Meta(ge=PERIOD_S_MIN, le=PERIOD_S_MAX)]


class WindowRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`count` in each window of `per_s` seconds."""

    count: _Count
    per_s: _Period

    def part(self, parts: int) -> "WindowRate":
        """One of so many equal parts, rounded up."""
        return WindowRate(count=_part(self.count, parts), per_s=self.per_s)


class BucketRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`count` in `per_s` seconds, evenly refilled; `burst` at once after a rest, `count` where it is None."""

    count: _Count
    per_s: _Period
    burst: _Count | None = None

    @property
    def burst_count(self) -> int:
        """How many go at once."""
        return self.count if self.burst is None else self.burst

    def part(self, parts: int) -> "BucketRate":
        """One of so many equal parts, rounded up."""
        burst = None if self.burst is None else _part(self.burst, parts)
        return BucketRate(count=_part(self.count, parts), per_s=self.per_s, burst=burst)


class FanoutRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`concurrent` fan-outs at a time, which share `deliveries_per_s` evenly."""

    concurrent: Annotated[int, msgspec.Meta(ge=1, le=CONCURRENT_MAX)]
    deliveries_per_s: Annotated[float, msgspec.Meta(ge=1, le=DELIVERIES_PER_S_MAX)]

    def part(self, parts: int) -> "FanoutRate":
        """One of so many equal parts: `concurrent` rounded up, and a delivery a second at least."""
        return FanoutRate(
            concurrent=_part(self.concurrent, parts), deliveries_per_s=max(1.0, self.deliveries_per_s / parts)
        )


def _part(count: int, parts: int) -> int:
    return -(-count // parts)


def _row(description: str, source: str) -> msgspec.Meta:
    return msgspec.Meta(description=description, extra={"source": source})


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rates of one simulator, checked; None: not kept. The defaults are the providers' figures where there are any."""

    fcm_project: Annotated[
        WindowRate | None,
        _row(
            "Sends of the project, refused ones (4xx) too, but none with 429; 429 with Retry-After.",
            "FCM throttling and quotas; that a window begins with its first request is our choice",
        ),
    ] = WindowRate(count=600_000, per_s=60)
    fcm_android_device_minute: Annotated[
        BucketRate | None,
        _row(
            "Messages to one Android registration; 429 QUOTA_EXCEEDED.",
            "FCM throttling and quotas; the form of a bucket is our choice",
        ),
    ] = BucketRate(count=240, per_s=60)
    fcm_android_device_hour: Annotated[
        BucketRate | None,
        _row(
            "The same over an hour; both hold.",
            "FCM throttling and quotas; the form of a bucket is our choice",
        ),
    ] = BucketRate(count=5_000, per_s=3_600)
    fcm_ios_device: Annotated[
        BucketRate | None,
        _row("Messages to one iOS registration; 429 QUOTA_EXCEEDED.", "no figure is published"),
    ] = None
    fcm_topic: Annotated[
        BucketRate | None,
        _row("Sends to one topic or condition; 429 QUOTA_EXCEEDED.", "no figure is published"),
    ] = None
    fcm_fanouts: Annotated[
        FanoutRate | None,
        _row(
            "Topic and condition sends on their way to subscribers; one more is 429 QUOTA_EXCEEDED.",
            "FCM throttling and quotas, scaling; FCM may also put it off, refusing is our choice",
        ),
    ] = FanoutRate(concurrent=1_000, deliveries_per_s=10_000)
    fcm_topic_changes: Annotated[
        BucketRate | None,
        _row(
            "Requests of the project that add or remove subscriptions; RESOURCE_EXHAUSTED.",
            "FCM throttling and quotas; the form of a bucket is our choice",
        ),
    ] = BucketRate(count=3_000, per_s=1)
    apns_device: Annotated[
        BucketRate | None,
        _row("Notifications to one APNs device token; 429 TooManyRequests.", "Apple publishes no figure"),
    ] = None
    apns_connection: Annotated[
        BucketRate | None,
        _row(
            "Notifications over one connection to APNs; 429 TooManyRequests.",
            "Apple publishes none; its one reason for too many notifications is our choice",
        ),
    ] = None
    apns_provider_token: Annotated[
        BucketRate | None,
        _row(
            "Notifications with one provider token over all connections; 429 TooManyRequests.",
            "as apns_connection",
        ),
    ] = None

    def for_worker(self, workers: int) -> "Rates":
        """What each of several processes keeps, so that all keep this: what one project or topic has is divided evenly.

        Devices, connections and provider tokens may have all of theirs in each process.
        """
        if workers == 1:
            return self
        divided = (self.fcm_project, self.fcm_topic, self.fcm_fanouts, self.fcm_topic_changes)
        project, topic, fanouts, topic_changes = (rate and rate.part(workers) for rate in divided)
        return msgspec.structs.replace(
            self, fcm_project=project, fcm_topic=topic, fcm_fanouts=fanouts, fcm_topic_changes=topic_changes
        )


@dataclass(frozen=True, slots=True)
class RateRow:
    """One rate as documentation shows it. `real`: what `--limits real` keeps. `form`: the type of its figures."""

    name: str
    description: str
    source: str
    real: WindowRate | BucketRate | FanoutRate | None
    form: type[WindowRate] | type[BucketRate] | type[FanoutRate]


def _rows() -> dict[str, RateRow]:
    rows = {}
    for field in msgspec.structs.fields(Rates):
        annotation, meta = get_args(field.type)
        form = get_args(annotation)[0]
        rows[field.name] = RateRow(field.name, meta.description, meta.extra["source"], field.default, form)
    return rows


RATES: Mapping[str, RateRow] = types.MappingProxyType(_rows())

REAL = Rates()
OFF = Rates(**dict.fromkeys(RATES))
