"""Counted times as a histogram of the results. Pure."""

from collections.abc import Mapping
from itertools import accumulate

from loadtest.report.run_record import POINTS_MAX, Histogram

HDR_MAX_US = 24 * 3_600 * 1_000_000
HDR_DIGITS = 3


def histogram_of(name: str, counts: Mapping[int, int], unit_us: int) -> Histogram:
    """`counts`: time -> how often. `unit_us`: what times are counted in, in microseconds: 1,000 for milliseconds."""
    total = sum(counts.values())
    ordered = dict(sorted(counts.items()))
    points = [
        (seen / total, time * unit_us / 1000) for time, seen in zip(ordered, accumulate(ordered.values()), strict=True)
    ]
    if len(points) > POINTS_MAX:
        # Evenly thinned; the last one stays, it is the maximum.
        points = [points[len(points) * (number + 1) // POINTS_MAX - 1] for number in range(POINTS_MAX)]
    mean_ms = sum(time * count for time, count in counts.items()) * unit_us / 1000 / total if total else 0.0
    return Histogram(
        name=name,
        count=total,
        mean_ms=round(mean_ms, 3),
        max_ms=max(counts, default=0) * unit_us / 1000,
        points=points,
        hdr=_hdr(ordered, unit_us),
    )


def _hdr(counts: Mapping[int, int], unit_us: int) -> str:
    from hdrh.histogram import HdrHistogram

    histogram = HdrHistogram(1, HDR_MAX_US, HDR_DIGITS)
    for time, count in counts.items():
        histogram.record_value(min(time * unit_us, HDR_MAX_US), count)
    encoded: bytes = histogram.encode()
    return encoded.decode("ascii")
