"""When to connect, fill, exchange, and end: what the shells of asyncio and gevent decide alike. No I/O, clock or chance.

A shell owns sockets and timers. It keeps a `Seat` for each connection of the pool, calls `fill` after every read, `look_after`
each lane and `tick` every `TICK_S`, and carries out each exchange with the source that it is handed here.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sender.credential import CredentialAnswer, CredentialRequest
from sender.delivery import Delivery
from sender.lane import Lane
from sender.network_errors import certificate_alert, in_words
from sender.pace import catch_up, pace
from sender.pool import Endpoint, PoolOptions, reconnect_pause_s
from sender.store.records import Exchange, Outcome

TICK_S = 0.05
# Claimed, with the result not yet stored: what may arrive twice after a `kill -9` (see docs/architecture.md).
UNCOMMITTED_MAX = 4_096
# A batch is what one exchange claims at most; smaller ones cost more transactions, larger ones leave the wire idle.
BATCH_MAX = 2_048


class Source(Protocol):
    """Where notifications come from and results go: the device store's campaign, or a population in memory."""

    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        """Take results and claim up to `want` notifications, in one transaction."""


class Wanted(NamedTuple):
    """An exchange to be made now: the arguments of `Source.exchange`."""

    outcomes: list[Outcome]
    want: int
    now_ms: int


class Pacer:
    """The steady rate that one run keeps, or several runs keep together. `rate_per_s`: 0 for no limit."""

    def __init__(self, rate_per_s: float, now_s: float) -> None:
        self.rate_per_s = rate_per_s
        self._started_at_s = now_s
        self._counted = 0

    def allowance(self, now_s: float) -> int:
        """How many notifications may leave now."""
        return pace(now_s - self._started_at_s, self._counted, self.rate_per_s)[0]

    def spend(self, count: int) -> None:
        """So many have left."""
        self._counted += count

    def tick(self, now_s: float) -> None:
        """Forgive what a long pause has left unsent, but for a short burst."""
        self._counted = catch_up(now_s - self._started_at_s, self._counted, self.rate_per_s)


class Run:
    """The state of one run beside its `Delivery`."""

    def __init__(self, delivery: Delivery, endpoint: Endpoint, pool: PoolOptions, pacer: Pacer, now_s: float) -> None:
        self.delivery = delivery
        self.endpoint = endpoint
        self.pool = pool
        self.last_error = ""
        self._pacer = pacer
        self.allow_uncommitted(UNCOMMITTED_MAX)
        self.begin(now_s)

    def allow_uncommitted(self, count: int) -> None:
        """How many notifications may be claimed and not yet stored: runs that share a store share `UNCOMMITTED_MAX`."""
        self._uncommitted_max = count
        self._batch_max = min(BATCH_MAX, count // 2)
        # So many results make an exchange worth its transaction; fewer are stored with the next tick.
        self._outcomes_worth_storing = self._batch_max // 2

    def begin(self, now_s: float) -> None:
        """Start, or go on after the end with a source that has more to send."""
        self.finished = False
        self._exhausted = False
        self._next_retry_at_ms: int | None = None
        self._exchanging = False
        self._asked = 0  # notifications, in the last exchange
        self._dry = False  # the source had none of those to give: asking again at once would only keep it busy
        self._claimed_since_s = now_s

    # Connections.

    @property
    def idle(self) -> bool:
        """No connection is worth opening now: everything claimed is under way, or waits for its time."""
        return not self.delivery.ready or self.delivery.stopped is not None

    def fill(self, lane: Lane, now_s: float) -> None:
        """Let one lane take what it can at the pace of the run."""
        if self.delivery.ready:
            allowance = self._pacer.allowance(now_s)
            if allowance > 0:
                self._pacer.spend(lane.fill(now_s, allowance))

    def look_after(self, lane: Lane, opened_at_s: float, now_s: float) -> bool:
        """The clock has moved on. False when the connection must be given up, for the reason in `lane.why`."""
        alive = lane.tick(now_s)
        if not lane.connection.settings_received:
            alive = now_s - opened_at_s < self.pool.settings_timeout_s
            lane.why = lane.why or ("" if alive else "no SETTINGS from the server")
        return alive

    # Time.

    def tick(self, now_s: float) -> None:
        """The clock has moved on. Comes before `look_after`."""
        self._pacer.tick(now_s)

    def stalled(self, now_s: float) -> bool:
        """The provider has been silent for too long, and the run is stopped: give up all connections."""
        delivery = self.delivery
        silent_since_s = max(delivery.last_answer_at_s or 0.0, self._claimed_since_s, delivery.held_until_s)
        if not self.delivery.claimed or now_s - silent_since_s <= self.pool.stall_timeout_s:
            return False
        error = delivery.credential.trouble or self.last_error
        why = f"; the last error was: {error}" if error else ""
        self.delivery.stop(f"no answer from {self.endpoint.authority} for {self.pool.stall_timeout_s:g} s{why}")
        return True

    # The credential.

    def credential_request(self, now_s: float) -> CredentialRequest | None:
        """What has to be asked for so that notifications can be sent, now and later. Ends in `credential_answered`."""
        delivery = self.delivery
        if delivery.credential.refused is not None:
            delivery.stop(delivery.credential.refused)
        if not delivery.claimed or delivery.stopped is not None:
            return None
        return delivery.credential.request(now_s)

    def credential_answered(self, answer: CredentialAnswer, now_s: float, draw: float) -> None:
        """The answer is there. Fill all lanes next."""
        self.delivery.credential.answered(answer, now_s, draw)
        if self.delivery.credential.refused is not None:
            self.delivery.stop(self.delivery.credential.refused)

    # The source.

    def exchange_after_read(self, now_s: float) -> Wanted | None:
        """An exchange, when there is enough to store or to claim to be worth a transaction."""
        delivery = self.delivery
        want = 0 if self._dry or delivery.stopped is not None else self._uncommitted_max - delivery.claimed
        outcomes = len(delivery.outcomes)
        all_answered = self._dry and outcomes == delivery.claimed > 0  # nothing else is worth waiting for
        claim = want >= self._batch_max and len(delivery.ready) < self._batch_max
        return self._exchange_if(outcomes >= self._outcomes_worth_storing or all_answered or claim, now_s)

    def exchange_at_tick(self, now_s: float) -> Wanted | None:
        """An exchange, when there is anything to store or to ask for."""
        retry_due = self._next_retry_at_ms is not None and now_s * 1000 >= self._next_retry_at_ms
        more_to_come = (not self._exhausted or not self.delivery.claimed) and self._next_retry_at_ms is None
        room = len(self.delivery.ready) < self._batch_max and self.delivery.claimed < self._uncommitted_max
        wants = more_to_come and room
        ending = self.delivery.stopped is not None  # what is ready, or waits for its time, is given back
        return self._exchange_if(bool(self.delivery.outcomes) or retry_due or wants or ending, now_s)

    def _exchange_if(self, worthwhile: bool, now_s: float) -> Wanted | None:
        if not worthwhile or self._exchanging or self.finished:
            return None
        self._exchanging = True
        delivery = self.delivery
        if delivery.stopped is not None:
            delivery.give_up_ready(now_s)
        outcomes = delivery.take_outcomes()
        # One transaction stores the outcomes and claims, so that what it stores makes room for what it claims.
        room = self._uncommitted_max - delivery.claimed
        want = min(self._batch_max, room) if delivery.stopped is None else 0
        self._asked = max(0, want)
        return Wanted(outcomes, self._asked, int(now_s * 1000))

    def exchanged(self, exchange: Exchange, now_s: float) -> None:
        """The exchange is done. Fill all lanes next, then ask `end_if_done`."""
        self._exchanging = False
        delivery = self.delivery
        if not delivery.claimed:
            self._claimed_since_s = now_s  # silence counts only while there is something to answer
        delivery.add(exchange.due)
        if self._asked:
            self._dry = not exchange.due
        self._exhausted, self._next_retry_at_ms = exchange.exhausted, exchange.next_retry_at_ms
        self._dry = self._dry or exchange.exhausted

    def end_if_done(self) -> bool:
        """After `exchanged` and filling: whether everything claimed is answered and stored, and nothing more will come."""
        over = self._exhausted or self.delivery.stopped is not None
        if over and not self.delivery.claimed and not self._exchanging:
            self.finished = True
        return self.finished

    def exchange_failed(self) -> None:
        """The source raised an error: the run is over."""
        self._exchanging = False
        self.finished = True


class Seat:
    """One connection's place in the pool, taken by one lane after another."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._failures = 0  # in a row, of connections that settled nothing

    def pause_s(self, draw: float) -> float:
        """How long to wait before the next attempt to connect. `draw`: uniform in [0, 1)."""
        return reconnect_pause_s(self._failures, self._run.pool, draw)

    def not_connected(self, error: BaseException) -> None:
        """The attempt failed, maybe for good."""
        self._failures += 1
        self._run.last_error = in_words(error) or f"no connection within {self._run.pool.connect_timeout_s:g} s"
        alert = certificate_alert(error)
        if alert is not None:
            self._run.delivery.stop(f"the provider refuses the client certificate: {alert}")

    def not_trusted(self, why: str) -> None:
        """The server's certificate is refused: no matter of time, every further attempt would end the same way."""
        self._failures += 1
        self._run.delivery.stop(f"the certificate of {self._run.endpoint.authority} is not trusted: {why}")

    def closed(self, lane: Lane) -> None:
        """The connection that sat here is gone."""
        self._run.last_error = lane.why or self._run.last_error
        self._failures = 0 if lane.settled else self._failures + 1
