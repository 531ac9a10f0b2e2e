"""How fast notifications leave: pure functions of time and count."""

BURST_S = 0.1  # a sender that fell behind catches up at most this much at once


def pace(elapsed_s: float, sent_count: int, rate_per_s: float) -> tuple[int, float]:
    """How many notifications may leave now, and when to ask again (seconds from now), for a steady rate.

    `elapsed_s`: since the start of pacing; `sent_count`: since then. A rate of 0 means no limit.
    """
    if rate_per_s <= 0:
        return 1 << 30, 0.0
    due = int(elapsed_s * rate_per_s) + 1 - sent_count
    if due > 0:
        return min(due, max(1, int(rate_per_s * BURST_S))), 0.0
    return 0, (sent_count / rate_per_s) - elapsed_s


def catch_up(elapsed_s: float, sent_count: int, rate_per_s: float) -> int:
    """How many notifications to count as sent so that a long pause is not made good by a burst over `BURST_S`."""
    if rate_per_s <= 0:
        return sent_count
    return max(sent_count, int((elapsed_s - BURST_S) * rate_per_s))
