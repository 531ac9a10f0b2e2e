"""Has registrations follow a topic: calls, and repeats of what failed for the moment. What calls and waits is passed in."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sender.fcm.topic_subscription import TOKENS_MAX, read_results, repeatable, request_body
from sender.reaction import RetryPolicy, pause_s

POLICY = RetryPolicy()
RETRIED_STATUSES = frozenset({0, 408, 429, 500, 502, 503, 504})
"""0: no answer."""
RENEWED_STATUS = 401
REFUSED = "no answer for a subscription"


class Called(NamedTuple):
    """What came of a call. `status` 0: no answer."""

    status: int
    body: bytes


class Subscribed(NamedTuple):
    """`errors`: of each registration, "" for one that follows the topic now. `final`: False for what may come right later."""

    errors: list[str]
    final: list[bool]


def subscribe(
    topic: str, tokens: Sequence[str], call: Callable[[bytes], Called], pause: Callable[[float], None]
) -> Subscribed:
    """Ask until each has its result, or attempts are used up. `call`: with a body; `pause`: for some seconds."""
    errors, final = [REFUSED] * len(tokens), [False] * len(tokens)
    open_ = list(range(len(tokens)))
    for attempt in range(1, POLICY.attempts_max + 1):
        again: list[int] = []
        for first in range(0, len(open_), TOKENS_MAX):
            places = open_[first : first + TOKENS_MAX]
            called = call(request_body(topic, [tokens[place] for place in places]))
            results = read_results(called.body, len(places)) if called.status == 200 else None
            if results is None:
                said = f"{called.status} from the subscription of topics" if called.status else REFUSED
                for place in places:
                    errors[place] = said
                if called.status in RETRIED_STATUSES or called.status == RENEWED_STATUS:
                    again += places
                continue
            for place, error in zip(places, results, strict=True):
                errors[place], final[place] = error, not repeatable(error)
            again += [place for place in places if not final[place]]
        open_ = again
        if not open_ or attempt == POLICY.attempts_max:
            break
        pause(pause_s(attempt, POLICY, 0.5))
    return Subscribed(errors, final)
