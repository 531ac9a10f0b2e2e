"""A run of external senders as what a load test leaves behind: run, course, histograms. Pure.

What senders know alone is left unknown: when they meant to send, and how long they waited for answers.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

import msgspec
import numpy as np

from loadtest.external.figures import SendersReport
from loadtest.external.seconds_seen import Second
from loadtest.histograms import histogram_of
from loadtest.report.results_directory import Results
from loadtest.report.run_record import Interval, Limit, RunRecord, Series
from loadtest.report.sender_record import SenderRecord, SendersRecord
from loadtest.run_origin import Origin

PROFILE = "sender"
GAP, ANSWER = "gap", "answer"
"""Names of histograms."""


def results_of(
    report: SendersReport, origin: Origin, gap_us: Mapping[int, int], answer_us: Mapping[int, int]
) -> Results:
    """All of it. `gap_us`, `answer_us`: microseconds -> how often."""
    histograms = [histogram_of(name, counts, 1) for name, counts in ((GAP, gap_us), (ANSWER, answer_us)) if counts]
    return Results(run_of(report, origin), series_of(report.over_time, report.elapsed_s), histograms)


def run_of(report: SendersReport, origin: Origin) -> RunRecord:
    """The run as a whole."""
    return RunRecord(
        **origin._asdict(),
        provider=report.provider,
        endpoint=report.endpoint,
        seed=report.seed,
        devices=report.devices,
        users=0,
        batch_size=0,
        connections=report.connections_opened,
        profile=PROFILE,
        arrivals="closed",
        scheduled=0,
        sent=report.notifications,
        accepted=report.accepted,
        rejected=report.rejected,
        given_up={},
        retried=report.repeats,
        unfinished=report.unanswered,
        elapsed_s=report.elapsed_s,
        rate_per_s=report.rate_per_s,
        latency_ms={},
        latency_from_sent_ms={},
        bottleneck=report.bottleneck,
        ledger=report.ledger.record(),
        ceiling_per_s=report.ceiling_per_s,
        ceiling_from=report.ceiling_from,
        cpu_s=report.cpu_s,
        peak_rss_mb=report.peak_rss_mb,
        limits=[Limit(name="rates of the providers", value=report.limits)],
        failures=report.failures,
        senders=SendersRecord(
            senders=msgspec.convert(msgspec.to_builtins(report.senders), list[SenderRecord]),
            seen=report.seen,
            busiest_per_s=report.busiest_per_s,
            gap_ms=report.gap_ms,
            answer_ms=report.answer_ms,
            handshakes_failed=report.handshakes_failed,
            protocol_errors=report.protocol_errors,
            limits_reached=report.limits_reached,
            connections=report.connections,
        ),
    )


def series_of(rows: Sequence[Second], elapsed_s: float) -> Series:
    """The course in intervals of one length, up to `elapsed_s`: what came between two looks is spread evenly between them.

    Counts add up to those of `rows`.
    """
    if not rows:
        return Series(interval_s=1.0, rows=[])
    interval_s = float(max(1, round(max(row.length_s for row in rows))))
    # The last look comes some time after the last notification.
    instants_s = [min(row.at_s, elapsed_s) for row in rows]
    intervals = max(1, -int(-elapsed_s // interval_s))

    ends_s = [min((number + 1) * interval_s, elapsed_s) for number in range(intervals)]

    def spread(counts: Sequence[int]) -> list[int]:
        by_then = np.interp(ends_s, [0.0, *instants_s], [0, *accumulate(counts)]).astype(np.int64)
        found: list[int] = np.diff(by_then, prepend=0).tolist()
        return found

    reasons = sorted({reason for row in rows for reason in row.rejected})
    rejected = {reason: spread([row.rejected.get(reason, 0) for row in rows]) for reason in reasons}
    sent, accepted = spread([row.notifications for row in rows]), spread([row.accepted for row in rows])
    return Series(
        interval_s=interval_s,
        rows=[
            Interval(
                at_s=number * interval_s,
                scheduled=0,
                sent=sent[number],
                accepted=accepted[number],
                rejected={reason: counts[number] for reason, counts in rejected.items() if counts[number]},
                connections=rows[min(bisect_left(instants_s, end_s), len(rows) - 1)].connections,
            )
            for number, end_s in enumerate(ends_s)
        ],
    )
