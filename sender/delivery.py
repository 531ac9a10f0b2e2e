"""Notifications between the store and the connections: what is ready, what came of it. The core of the sender, no I/O.

A shell (asyncio, gevent) feeds it with what the store gave out, lets lanes take from `ready`, and carries `outcomes` back.
Every notification handed in by `add` ends as exactly one outcome, or stands in `ready` or in a lane.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sender.credential import Credential
from sender.provider import Provider
from sender.reaction import Action, Answer, RetryPolicy, react
from sender.store.records import Due, Outcome, State
from sender.template import Refusal

STATUS_OF_NO_ANSWER = 0


@dataclass(slots=True)
class Counts:
    """What a run has done so far. `sent` counts transmissions, `accepted` and `rejected` notifications.

    `latency_ms`: whole milliseconds from sending to answer -> answers. `latency_not_final_ms`: those of them that did not
    settle their notification, which was sent again, rested, or was given up.
    """

    sent: int = 0
    accepted: int = 0
    retried: int = 0
    given_up: int = 0
    unprocessed: int = 0  # sent, and disowned by GOAWAY or REFUSED_STREAM: sent again without counting as an attempt
    timed_out: int = 0
    connections_lost: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    latency_ms: Counter[int] = field(default_factory=Counter)
    latency_not_final_ms: Counter[int] = field(default_factory=Counter)


class Delivery:
    """One campaign's notifications on their way to one provider.

    `draw()`: uniform in [0, 1), for jitter. `held_until_s`: before it nothing is sent, since the provider has said so.
    """

    def __init__(
        self,
        provider: Provider,
        credential: Credential,
        *,
        draw: Callable[[], float],
        policy: RetryPolicy | None = None,
    ) -> None:
        self.provider = provider
        self.credential = credential
        self.policy = policy or RetryPolicy()
        self.ready: deque[Due] = deque()
        self.outcomes: list[Outcome] = []
        self.counts = Counts()
        self.claimed = 0  # handed in, and not yet taken out as outcomes
        self.stopped: str | None = None
        self.held_until_s = 0.0
        self.last_answer_at_s: float | None = None
        self._draw = draw

    def add(self, due: Sequence[Due]) -> None:
        """More notifications to send. The caller bounds them: see `claimed`."""
        self.claimed += len(due)
        self.ready.extend(due)

    def take_back(self) -> list[Due]:
        """What is ready and was not sent yet is the caller's again."""
        taken = list(self.ready)
        self.ready.clear()
        self.claimed -= len(taken)
        return taken

    def take_outcomes(self) -> list[Outcome]:
        """Outcomes since the last call; they are the caller's to keep now."""
        outcomes, self.outcomes = self.outcomes, []
        self.claimed -= len(outcomes)
        return outcomes

    def refuse(self, due: Due, refusal: Refusal, now_s: float) -> None:
        """A notification that cannot be sent at all, by our own check: final."""
        self.counts.rejected[refusal.reason] += 1
        self._resolve(due, State.REJECTED, STATUS_OF_NO_ANSWER, refusal.reason, due.attempts, now_s)

    def settle(self, due: Due, answer: Answer, authorization: bytes, now_s: float) -> Action:
        """Draw the consequence of an answer other than 200, or of none (`answer.status` 0). Returns the action taken."""
        attempts = due.attempts + 1
        reaction = react(answer, attempts, now_s, self.policy, self._draw())
        action = reaction.action
        if action is Action.RENEW and not self.credential.renew(authorization, now_s):
            # It was renewed just before: its refusal is no matter of age, so wait as for any other failure.
            reaction = react(Answer(STATUS_OF_NO_ANSWER), attempts, now_s, self.policy, self._draw())
            action = reaction.action
        if action in (Action.RENEW, Action.MOVE):
            self.counts.retried += 1
            self.ready.append(due._replace(attempts=attempts))
        elif reaction.given_up:
            self.counts.given_up += 1
            self._resolve(due, State.GIVEN_UP, answer.status, answer.reason, attempts, now_s)
        elif action is Action.RETRY:
            self.counts.retried += 1
            retry_at_ms = max(1, int(reaction.retry_at_s * 1000))
            if answer.holds_all:
                self.held_until_s = max(self.held_until_s, reaction.retry_at_s)
            self._resolve(due, State.WAITING, answer.status, answer.reason, attempts, now_s, retry_at_ms=retry_at_ms)
        elif action is Action.STOP:
            self.stop(
                f"the provider answered {answer.status} {answer.reason} to what all notifications have in common"
                + (f": {answer.detail}" if answer.detail else "")
            )
            # Not this device's fault: due again once the campaign is mended.
            self.counts.given_up += 1
            self._resolve(due, State.GIVEN_UP, answer.status, answer.reason, attempts, now_s)
        else:
            self.counts.rejected[answer.reason or str(answer.status)] += 1
            invalidate_at_ms = reaction.invalidate_at_ms
            self._resolve(
                due, State.REJECTED, answer.status, answer.reason, attempts, now_s, invalidate_at_ms=invalidate_at_ms
            )
        return action

    def stop(self, why: str) -> None:
        """End the campaign: nothing more is taken from `ready`. The first reason stands."""
        self.stopped = self.stopped or why

    def give_back(self, due: Due) -> None:
        """A notification that the provider has not touched goes back to the front, without counting an attempt."""
        self.counts.unprocessed += 1
        self.ready.appendleft(due)

    def give_up_ready(self, now_s: float) -> None:
        """The run ends early: what was claimed and not sent is due again in the next one."""
        while self.ready:
            due = self.ready.popleft()
            self.counts.given_up += 1
            self._resolve(due, State.GIVEN_UP, 0, self.stopped or "", due.attempts, now_s)

    def _resolve(
        self,
        due: Due,
        state: State,
        status: int,
        reason: str,
        attempts: int,
        now_s: float,
        *,
        retry_at_ms: int = 0,
        invalidate_at_ms: int = 0,
    ) -> None:
        at_ms = int(now_s * 1000)
        self.outcomes.append(
            Outcome(due.device_id, state, status, reason, attempts, at_ms, retry_at_ms, invalidate_at_ms)
        )
