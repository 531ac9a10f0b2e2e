"""How the sender waits: as it is told, with growing pauses, and not for longer than needed. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise

from loadtest.replay import evidence
from loadtest.replay.answers import Sense
from loadtest.replay.history import Exchange, Run
from loadtest.replay.rows import Measured, Played, unobserved

EARLY_S = 0.1
"""Clocks of two programs, and a field in whole seconds: so much earlier is not held against a sender."""

RATE_WINDOW_S = 1.0
RECOVERED_SHARE = 0.5
"""Rates wobble: half of the one before counts as recovered."""

BASELINE_S_MIN = 0.2
"""So long the sender has to have been at work before a fault for its rate to say anything."""


def retry_early(played: Played) -> Measured:
    """Requests for a device before the time that its last answer named."""
    told = [(before, after) for before, after in _repeats(played) if _told_s(before) is not None]
    named = sum(1 for each in _answered(played) if each.answer is not None and each.answer.retry_after_s is not None)
    if not named:
        return unobserved("no answer named a time")
    early = [(before, after) for before, after in told if after.opened_s < (_told_s(before) or 0.0) - EARLY_S]
    found = f"{len(early):,} of {len(told):,} repeats came early" if early else f"{len(told):,} repeats, none early"
    return Measured(len(early), found, lambda: _shown(played, early))


def _told_s(exchange: Exchange) -> float | None:
    answer = exchange.answer
    if exchange.sense is not Sense.AGAIN or answer is None or answer.retry_after_s is None:
        return None
    return answer.at_s + answer.retry_after_s


def retry_wait(played: Played) -> Measured:
    """The shortest pause before a repeat where the answer named none."""
    waits = [
        (after.opened_s - before.ended_s, before, after)
        for before, after in _repeats(played)
        if before.sense is Sense.AGAIN and before.answer is not None and before.answer.retry_after is None
    ]
    if not waits:
        return unobserved("nothing was sent again after an answer without Retry-After")
    shortest_s, before, after = min(waits, key=lambda found: found[0])
    return Measured(round(shortest_s, 3), f"{shortest_s:.2f} s at least", lambda: _shown(played, [(before, after)]))


def recovery(played: Played) -> Measured:
    """How long it took after the last faults until notifications were accepted as fast as before."""
    with_faults = {phase.name for phase in played.scenario.phase if phase.faults}
    slowest: tuple[float, Run] | None = None
    why = "no phase with faults came to its end"
    for run in played.history.runs:
        over_s = {each.name: each.at_s for each in run.phases_ended if each.name in with_faults}
        if not over_s:
            continue
        # Faults of phases that last, such as the latency of a distance, are part of the rate before.
        began_s = min((each.at_s for each in run.phases_begun if each.name in over_s), default=run.began_s)
        found_s = recovery_s(run, began_s, max(over_s.values()))
        if found_s is None:
            why = "nothing was left to send when the faults were over"
        elif slowest is None or found_s > slowest[0]:
            slowest = found_s, run
    if slowest is None:
        return unobserved(why)
    took_s, run = slowest
    return Measured(round(took_s, 3), f"{took_s:.1f} s", lambda: evidence.of_observations(run.phases_ended))


def recovery_s(run: Run, began_s: float, over_s: float) -> float | None:
    """Seconds from `over_s` until the rate is back, or all are accepted; None: nothing was accepted after it.

    `began_s`: when the first phase began of those that are over.

    With too little before the first fault to know a rate, the first acceptance counts.
    """
    accepted = sorted(run.accepted_s)
    after = bisect_left(accepted, over_s)
    first_fault_s = min((each.at_s for each in run.faults if each.at_s >= began_s), default=over_s)
    before = bisect_left(accepted, first_fault_s)
    worked_s = first_fault_s - accepted[0] if before else 0.0
    enough = before / worked_s * RATE_WINDOW_S * RECOVERED_SHARE if worked_s >= BASELINE_S_MIN else 1.0
    for at in range(after, len(accepted)):
        in_window = bisect_right(accepted, accepted[at] + RATE_WINDOW_S) - at
        if in_window >= min(enough, len(accepted) - at):
            return accepted[at] - over_s
    return None


def _repeats(played: Played) -> Iterator[tuple[Exchange, Exchange]]:
    for run in played.history.runs:
        for exchanges in run.of_device.values():
            yield from pairwise(exchanges)


def _answered(played: Played) -> Iterator[Exchange]:
    for run in played.history.runs:
        yield from run.exchanges


def _shown(played: Played, pairs: list[tuple[Exchange, Exchange]]) -> list[str]:
    lines: list[str] = []
    for before, after in pairs[: evidence.CASES_MAX]:
        lines.append(f"device {evidence.short(before.device)}:")
        for each in (before, after):
            lines += [f"  {line}" for line in evidence.of_exchange(played.history, each)]
    return evidence.bounded(lines)
