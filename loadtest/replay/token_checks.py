"""What the sender makes of tokens: by the results that it wrote, or else by whom it sends to in the next run. Pure."""

from enum import Enum, unique

from loadtest.replay import evidence
from loadtest.replay.answers import Sense
from loadtest.replay.history import Fate
from loadtest.replay.notification_checks import still_good
from loadtest.replay.results import Outcome
from loadtest.replay.rows import Measured, Played, unobserved
from simulator.devices.fates import Fate as DeviceFate


@unique
class Due(Enum):
    """What a good sender does with a token after all the answers about it."""

    KEEP = "keep"
    DROP = "drop"
    EITHER = "either"


EITHER_REASONS = frozenset({"BadDeviceToken", "DeviceTokenNotForTopic"})
"""The token may be of another app or environment: senders may hold either view."""


def dropped_wrongly(played: Played) -> Measured:
    """Good tokens that were given up."""
    return _against(played, Due.KEEP, kept_is_wrong=False)


def kept_wrongly(played: Played) -> Measured:
    """Tokens that were kept though an answer said that they are no good."""
    return _against(played, Due.DROP, kept_is_wrong=True)


def _against(played: Played, due: Due, *, kept_is_wrong: bool) -> Measured:
    known, wrong = 0, []
    for number in range(1, len(played.history.runs) + 1):
        for key, expected in _due_after(played, number).items():
            kept = _kept(played, number, key)
            if expected is due and kept is not None:
                known += 1
                if kept is kept_is_wrong:
                    wrong.append(key)
    if not known:
        return unobserved(played.results_problem or "no results were written, no run followed, or no answer told")
    found = f"{len(wrong):,} of {known:,}" if wrong else f"none of {known:,}"
    return Measured(len(wrong), found, lambda: evidence.of_devices(played.history, dict.fromkeys(wrong)))


def _due_after(played: Played, runs: int) -> dict[str, Due]:
    """What is due with each device that the sender asked for in run `runs`, by all answers until its end."""
    asked = played.history.runs[runs - 1].of_device
    return {key: _due(played, runs, key) for key in asked if key in played.devices}


def _due(played: Played, runs: int, key: str) -> Due:
    due = Due.KEEP
    for run in played.history.runs[:runs]:
        for each in run.of_device.get(key, ()):
            if each.answer is None or each.sense is None:
                if each.fate is Fate.UNCERTAIN:
                    due = Due.EITHER
                continue
            if each.sense is Sense.DEAD and not still_good(played, each):
                due = Due.EITHER if each.answer.reason in EITHER_REASONS else Due.DROP
            elif each.answer.status == 400 and played.devices[key].fate is DeviceFate.INVALID_SHAPE:
                due = Due.DROP
    return due


def _kept(played: Played, number: int, key: str) -> bool | None:
    """Whether the sender kept a token after a run; None: it cannot be told."""
    results = played.results[number - 1]
    if results is not None and key in results:
        return results[key] is not Outcome.INVALID
    if number < len(played.history.runs):
        following = played.history.runs[number]
        return key in following.of_device if following.exchanges else None
    return None
