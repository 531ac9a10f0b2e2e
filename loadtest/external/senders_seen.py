"""Every request of each of several senders, told apart by whose devices they are about. Pure.

A connection is that sender's whose device its first request is about; what it had before that is kept for a while.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

from loadtest.external.requests_seen import RequestsSeen, percentiles_ms
from loadtest.replay.observed import (
    Answer,
    Closed,
    Observation,
    Opened,
    RequestSeen,
    Reset,
    Verdict,
)
from loadtest.report.sender_record import SenderSeen
from simulator.devices.registration_space import unseal_fid, unseal_registration
from simulator.devices.token_space import unseal

UNCLAIMED_MAX = 200
"""Observations kept of a connection that had nothing about a known device yet; what comes after them is nobody's."""


class _OneSender:
    def __init__(self) -> None:
        self.requests = RequestsSeen()
        self.accepted = 0
        self.rejected: Counter[str] = Counter()
        self.first_s: float | None = None
        self.last_s = 0.0

    def take(self, observed: Observation) -> None:
        if isinstance(observed, Verdict):
            if observed.status == 200:
                self.accepted += 1
            else:
                self.rejected[observed.reason or str(observed.status)] += 1
            self.first_s = observed.at_s if self.first_s is None else self.first_s
            self.last_s = observed.at_s
        else:
            self.requests.take((observed,))


class SendersSeen:
    """What was seen so far of all senders together (`all`) and of each.

    `seed`: of the population. `shares`: the indices of its devices that each sender has, in order.
    """

    def __init__(self, seed: int, shares: Sequence[range]) -> None:
        self.all = RequestsSeen()
        self._seed = seed
        self._shares = shares
        self._starts = [share.start for share in shares]
        self._senders = [_OneSender() for _ in shares]
        self._of_connection: dict[int, _OneSender] = {}
        self._unclaimed: dict[int, list[Observation]] = {}  # by connection

    def take(self, observations: Sequence[Observation]) -> None:
        """Fold in what was seen next."""
        self.all.take(observations)
        for each in observations:
            match each:
                case Opened():
                    self._unclaimed[each.connection] = [each]
                case RequestSeen():
                    self._claim(each)
                    self._tell(each.connection, each)
                case Answer() | Reset() | Verdict():
                    self._tell(each.connection, each)
                case Closed():
                    self._tell(each.connection, each)
                    self._of_connection.pop(each.connection, None)
                    self._unclaimed.pop(each.connection, None)
                case _:
                    pass

    def each(self) -> list[SenderSeen]:
        """The senders, in order."""
        found = []
        for sender in self._senders:
            notifications = sender.accepted + sender.rejected.total()
            elapsed_s = sender.last_s - (sender.first_s or 0.0)
            found.append(
                SenderSeen(
                    notifications=notifications,
                    accepted=sender.accepted,
                    rejected=dict(sender.rejected.most_common()),
                    elapsed_s=round(elapsed_s, 3),
                    rate_per_s=round(notifications / elapsed_s, 1) if elapsed_s > 0 else 0.0,
                    gap_ms=percentiles_ms(sender.requests.gap_us),
                    answer_ms=percentiles_ms(sender.requests.answer_us),
                    connections=sender.requests.connections(),
                )
            )
        return found

    def _claim(self, request: RequestSeen) -> None:
        if request.connection in self._of_connection:
            return
        sender = self._sender_of(request)
        if sender is not None:
            self._of_connection[request.connection] = sender
            for each in self._unclaimed.pop(request.connection, ()):
                sender.take(each)

    def _sender_of(self, request: RequestSeen) -> _OneSender | None:
        if request.token is None:
            return None
        token = request.token.encode()
        device = unseal(token) if request.provider == "apns" else unseal_registration(token) or unseal_fid(token)
        if device is None or device.seed != self._seed:
            return None
        at = bisect_right(self._starts, device.index) - 1
        return self._senders[at] if at >= 0 and device.index in self._shares[at] else None

    def _tell(self, connection: int, observed: Observation) -> None:
        sender = self._of_connection.get(connection)
        if sender is not None:
            sender.take(observed)
        elif len(unclaimed := self._unclaimed.setdefault(connection, [])) < UNCLAIMED_MAX:
            unclaimed.append(observed)
