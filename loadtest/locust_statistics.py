"""Locust's own statistics, filled in bulk: as its master merges the figures of its workers, with true counts.

One `request` event for each notification would cost more than the notification.
"""

from collections.abc import Mapping

from locust.stats import RequestStats, StatsEntry, StatsError, bucket_response_time

NOTIFICATION = "notification"
BATCH = "batch"


def record_notifications(
    stats: RequestStats,
    method: str,
    requests: int,
    failures: Mapping[str, int],
    latency_ms: Mapping[int, int],
    now_s: float,
) -> None:
    """Count notifications that were settled or given up since the last call.

    `method`: what Locust shows in its column of methods; here the provider. `failures`: those of them that were not
    accepted, by reason. `latency_ms`: milliseconds -> answers; notifications beyond their sum had no answer, and count as
    requests without a response time.
    """
    entry = _entry(stats, method, NOTIFICATION, requests, sum(failures.values()), latency_ms, now_s)
    stats.entries[(NOTIFICATION, method)].extend(entry)
    stats.total.extend(entry)
    _record_errors(stats, method, NOTIFICATION, failures, now_s)


def record_part(
    stats: RequestStats,
    method: str,
    part: str,
    requests: int,
    failures: int,
    latency_ms: Mapping[int, int],
    now_s: float,
) -> None:
    """Count what one part of the campaign has sent in a row of its own, beside the notifications that it is among."""
    stats.entries[(part, method)].extend(_entry(stats, method, part, requests, failures, latency_ms, now_s))


def record_batch(stats: RequestStats, method: str, latency_ms: int, failure: str | None, now_s: float) -> None:
    """Count one batch, sent from its first to its last notification in `latency_ms`; `failure`: why it is incomplete.

    Batches stand in a row of their own and not in the total, which would otherwise count every notification once more
    in its batch, and mix the times of both.
    """
    failures = {} if failure is None else {failure: 1}
    stats.entries[(BATCH, method)].extend(_entry(stats, method, BATCH, 1, len(failures), {latency_ms: 1}, now_s))
    _record_errors(stats, method, BATCH, failures, now_s)


def _entry(
    stats: RequestStats,
    method: str,
    name: str,
    requests: int,
    failures: int,
    latency_ms: Mapping[int, int],
    now_s: float,
) -> StatsEntry:
    entry = StatsEntry(stats, name, method)
    second = int(now_s)
    entry.last_request_timestamp = now_s
    entry.num_requests = requests
    entry.num_none_requests = requests - sum(latency_ms.values())
    entry.num_failures = failures
    entry.num_reqs_per_sec[second] = requests
    entry.num_fail_per_sec[second] = failures
    if latency_ms:
        entry.min_response_time, entry.max_response_time = min(latency_ms), max(latency_ms)
    for latency, count in latency_ms.items():
        entry.total_response_time += latency * count
        entry.response_times[bucket_response_time(latency)] += count
    return entry


def _record_errors(stats: RequestStats, method: str, name: str, failures: Mapping[str, int], now_s: float) -> None:
    for reason, count in failures.items():
        key = StatsError.create_key(method, name, reason)
        error = stats.errors.get(key)
        if error is None:
            error = stats.errors[key] = StatsError(method, name, reason, first_seen=now_s)
        error.occurrences += count
        error.last_seen = now_s
