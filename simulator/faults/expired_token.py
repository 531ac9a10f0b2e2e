"""Credentials that pass their hour in the middle of a burst."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Annotated, ClassVar, Final

import msgspec

from simulator.devices.fates import Provider
from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import Stage
from simulator.faults.line import LineDelay, StreamLimit, later
from simulator.faults.line_fault import LineFault, beside
from simulator.faults.outcome import Outcome, Reset
from simulator.faults.provider_answers import answer_named

CREDENTIALS_MAX: Final = 1_000
"""Ours: credentials that expire at once. Those that come when so many are known stay valid."""

CONNECTIONS_MAX: Final = 10_000
"""Ours: connections on which it is known what they were told. At the bound the oldest is forgotten, and told again."""

_RESET_CODES: Final = (7, 5)  # REFUSED_STREAM and STREAM_CLOSED, as users saw them


class ExpiredTokenFault(LineFault, frozen=True):
    """All provider tokens that are in use pass their hour at one moment (`expired-token-burst`).

    The first `after_requests` requests that it meets, on all connections together, show which tokens are in use. From then on
    those are expired, and tokens that were not seen among them pass.

    - The first request with an expired one on a connection gets 403 `ExpiredProviderToken`, with FCM 401; and the limit of
      streams becomes 1 ahead of it, until a request with a token that passes. `limit_streams`: false leaves the limit alone.
    - `resets`: so many requests behind that one get RST_STREAM in place of an answer, REFUSED_STREAM and STREAM_CLOSED in
      turn. All others with an expired token get the answer of the first.
    - `delay_s`: all that is said of expired tokens comes so much later, when the client has filled its streams.
    """

    name: ClassVar[str] = "expired-token"
    stages: ClassVar[tuple[Stage, ...]] = (Stage.BEFORE_JUDGE,)
    http1: ClassVar[bool] = True
    good_sender: ClassVar[str] = (
        "renews the token once for all connections, and sends each stopped notification again once"
    )

    after_requests: Annotated[int, msgspec.Meta(ge=1, le=2**31)] = 100
    resets: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 10
    limit_streams: bool = True
    delay_s: LineDelay = 0.0

    def at_work(self) -> Callable[[Outcome, Asked, Draws], Outcome]:
        return _Expiry(self).play


class _Expiry:
    """The fault at work: which tokens are expired, and which connections have been told."""

    def __init__(self, fault: ExpiredTokenFault) -> None:
        self._fault = fault
        self._seen = 0
        self._expired: set[bytes] = set()
        self._told: dict[int, int] = {}  # connection: requests with an expired token since

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        """See `RequestFault.play`."""
        credential = blake2b(asked.credential, digest_size=16).digest()
        if self._seen < self._fault.after_requests:
            self._seen += 1
            if len(self._expired) < CREDENTIALS_MAX:
                self._expired.add(credential)
            return outcome
        if credential not in self._expired:
            if self._fault.limit_streams and asked.connection in self._told:
                return beside(outcome, StreamLimit(None))
            return outcome
        return self._refuse(outcome, asked)

    def _refuse(self, outcome: Outcome, asked: Asked) -> Outcome:
        outcome = outcome._replace(delay_s=outcome.delay_s + self._fault.delay_s)
        if asked.connection not in self._told and len(self._told) >= CONNECTIONS_MAX:
            del self._told[next(iter(self._told))]
        number = self._told[asked.connection] = self._told.get(asked.connection, -1) + 1
        if asked.stream and 0 < number <= self._fault.resets:  # HTTP/1.1 has no streams
            return outcome._replace(answer=None, manner=Reset(_RESET_CODES[(number - 1) % len(_RESET_CODES)]))
        name = "ExpiredProviderToken" if asked.provider is Provider.APNS else "credential-expired"
        answer, reason = answer_named(name, asked)
        outcome = outcome._replace(answer=answer, reason=reason)
        if not self._fault.limit_streams or number:
            return outcome
        return beside(outcome, *later(self._fault.delay_s, StreamLimit(1)))
