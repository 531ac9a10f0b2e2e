"""What a scenario decides of a run, in numbers: the same sender has the same ones each time. Pure.

Left to the sender, and so not counted here: times, how often it connects, bytes and frames.
"""

from collections import Counter

from loadtest.replay.history import Fate, Run
from loadtest.replay.plain_text import plain

UNANSWERED = {
    Fate.REFUSED: "refused streams",
    Fate.DISOWNED: "above the last stream of a GOAWAY",
    Fate.RESET: "reset streams",
}
"""What is said of requests without an answer; all others are just unanswered, in whichever way the sender finds out."""


def counts_of(run: Run) -> dict[str, int]:
    """What came about in one run of the sender, as far as the scenario decides it: requests and what became of each, and how
    often faults met requests."""
    came: Counter[str] = Counter()
    for each in run.exchanges:
        if each.fate in UNANSWERED:
            came[UNANSWERED[each.fate]] += 1
        elif each.answer is None:
            came["unanswered"] += 1
        else:
            came[f"answered {each.answer.status} {plain(each.answer.reason or '')}".rstrip()] += 1
    came.update(f"fault {plain(each.name)}" for each in run.faults if each.stream is not None)
    counts = {"devices": len(run.of_device), "requests": len(run.exchanges), "accepted": len(run.accepted_s)}
    return counts | dict(sorted(came.items()))
