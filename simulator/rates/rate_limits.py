"""The rates of one simulator at work: what has been used of each so far."""

import math
from collections.abc import Generator
from dataclasses import dataclass

from simulator.rates.bucket import Bucket, KeyedBuckets
from simulator.rates.fanouts import Fanouts
from simulator.rates.rates import OFF, BucketRate, Rates
from simulator.rates.window import Window


@dataclass(frozen=True, slots=True)
class RateLimits:
    """One part for each thing that has a rate; None where none is kept, so that nothing is asked.

    - `project`: sends of the FCM project. `topic_changes`: its requests that add or remove subscriptions.
    - `android_device`, `ios_device`: messages to a registration; `topic`: to a topic or condition. By any key.
    - `fanouts`: messages to topics on their way.
    - `apns_device`: notifications to an APNs device token; `apns_connection`: over a connection, by its number;
      `apns_provider_token`: with a provider token, by its text.
    - `kept`: the figures that the parts were made of.
    """

    project: Window | None = None
    android_device: KeyedBuckets | None = None
    ios_device: KeyedBuckets | None = None
    topic: KeyedBuckets | None = None
    fanouts: Fanouts | None = None
    topic_changes: Bucket | None = None
    apns_device: KeyedBuckets | None = None
    apns_connection: KeyedBuckets | None = None
    apns_provider_token: KeyedBuckets | None = None
    kept: Rates = OFF

    @classmethod
    def of(cls, kept: Rates, workers: int = 1) -> "RateLimits":
        """Nothing used yet. `workers`: how many processes keep these rates together, of which this is one."""
        rates = kept.for_worker(workers)
        return cls(
            project=None if rates.fcm_project is None else Window(rates.fcm_project, kept.fcm_project),
            android_device=_keyed(rates.fcm_android_device_minute, rates.fcm_android_device_hour),
            ios_device=_keyed(rates.fcm_ios_device),
            topic=_keyed(rates.fcm_topic),
            fanouts=None if rates.fcm_fanouts is None else Fanouts(rates.fcm_fanouts),
            topic_changes=None if rates.fcm_topic_changes is None else Bucket(rates.fcm_topic_changes),
            apns_device=_keyed(rates.apns_device),
            apns_connection=_keyed(rates.apns_connection),
            apns_provider_token=_keyed(rates.apns_provider_token),
            kept=kept,
        )

    def clear_steps(self) -> Generator[None, None, None]:
        """Forget all that was used at the first step; the rest frees its memory, a millisecond at a time."""
        for single in (self.project, self.fanouts, self.topic_changes):
            if single is not None:
                single.clear()
        of_fcm = (self.android_device, self.ios_device, self.topic)
        of_apns = (self.apns_device, self.apns_connection, self.apns_provider_token)
        freeing = [keyed.clear_steps() for keyed in (*of_fcm, *of_apns) if keyed is not None]
        for steps in freeing:
            next(steps, None)
        for steps in freeing:
            yield from steps


def _keyed(*rates: BucketRate | None) -> KeyedBuckets | None:
    kept = [rate for rate in rates if rate is not None]
    return KeyedBuckets(*kept) if kept else None


def retry_after_s(wait_s: float) -> int:
    """The whole seconds of a `Retry-After` field for a wait above 0: rounded up, so that nobody comes too early."""
    return math.ceil(wait_s)
