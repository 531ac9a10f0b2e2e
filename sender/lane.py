"""One connection of the pool: takes notifications from a `Delivery`, sends them, and settles their answers. No I/O.

A shell opens the socket, hands in the bytes of each read with `received`, calls `fill`, and writes `data_to_send()` once.
It calls `tick` a few times a second, and `lost` when the socket is gone. Nothing is lost with a connection: what it had in
flight goes back to the delivery under the same id.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter

from sender.delivery import Delivery
from sender.network_errors import certificate_alert, in_words
from sender.reaction import Action, Answer
from sender.store.records import Due, Outcome, State
from wire.client import Alike, ClientConnection
from wire.errors import ErrorCode, code_name
from wire.events import ConnectionFailed, GoawayReceived, PingAcknowledged, StreamReset
from wire.heads import NO_VARYING
from wire.prepared import PreparedRequest
from wire.request import Head, Response

_ACCEPTED = State.ACCEPTED
_new_tuple = tuple.__new__  # a named tuple at half the cost of calling its class
_FINAL = (Action.REJECT, Action.INVALIDATE)
AUTHORIZATIONS_KEPT_MAX = 4  # of one connection; they are renewed every few minutes at most, answers take seconds


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """Limits of one connection.

    `streams_max`: ours, beside the provider's and the peer's. `answer_timeout_s`: a stream without an answer is reset alone.
    `ping_after_s`: silence of the peer, with requests in flight, before it is pinged; `ping_timeout_s`: how long the answer
    may take.
    `first_stream_id`: where each connection begins to count; near 2^31 it shows how the end of the stream ids is met.
    """

    streams_max: int = 1_000
    answer_timeout_s: float = 30.0
    ping_after_s: float = 5.0
    ping_timeout_s: float = 10.0
    first_stream_id: int = 1


class Lane:
    """One connection from preface to close. A new connection is a new lane."""

    def __init__(self, delivery: Delivery, options: LaneOptions, now_s: float) -> None:
        self.delivery = delivery
        self.options = options
        provider = delivery.provider
        self.streams_max = min(options.streams_max, provider.streams_max or options.streams_max)
        self.connection = ClientConnection(
            varying=provider.answer_varying,
            request_varying=provider.request_varying,
            first_stream_id=options.first_stream_id,
        )
        self.in_flight: dict[int, tuple[Due, float]] = {}  # stream -> notification and when it was sent, oldest first
        self.draining = False  # takes no more; closes when what is in flight is answered
        self.settled = 0  # notifications that got their final answer on it
        self.why = ""  # why it drains or failed
        self._prepared: PreparedRequest | None = None
        # What the prepared request carries, and what those before it did: of streams above an id.
        self._authorizations: deque[tuple[int, bytes]] = deque(maxlen=AUTHORIZATIONS_KEPT_MAX)
        self._heard_at_s = now_s
        self._pinged_at_s: float | None = None

    @property
    def finished(self) -> bool:
        """Nothing in flight, and nothing more to be taken: the socket can be closed."""
        leaving = self.draining or self.connection.closing
        return (leaving and not self.in_flight) or self.connection.failed is not None

    @property
    def room(self) -> int:
        """How many more notifications this connection takes now."""
        connection = self.connection
        if self.draining or not connection.settings_received:
            return 0
        return min(connection.streams_free, self.streams_max - len(self.in_flight))

    def data_to_send(self) -> bytes:
        """Bytes for the socket, b"" when there are none."""
        return self.connection.data_to_send()

    def fill(self, now_s: float, allowance: int) -> int:
        """Send as many ready notifications as limits, windows and `allowance` permit; returns how many."""
        delivery = self.delivery
        ready = delivery.ready
        room = min(self.room, allowance, len(ready))
        if room <= 0 or delivery.stopped is not None or now_s < delivery.held_until_s:
            return 0
        prepared = self._prepare(now_s)
        if prepared is None:
            return 0
        provider = delivery.provider
        body_of, path, id_format = provider.body_of, provider.path, provider.id_format
        body_bytes_max, window = provider.body_bytes_max, self.connection.outbound_window
        taken: list[Due] = []
        requests: list[tuple[bytes, bytes | None, bytes]] = []
        while len(taken) < room and ready:
            due = ready.popleft()
            body = body_of(due)
            if not isinstance(body, bytes):
                delivery.refuse(due, body, now_s)
                continue
            size = len(body)
            if size > body_bytes_max:
                delivery.refuse(due, provider.too_large, now_s)
                continue
            if size > window:
                ready.appendleft(due)
                break
            window -= size
            taken.append(due)
            if id_format is None:
                requests.append((path, None, body))
            else:
                requests.append((path + due[1].encode(), id_format % due[0], body))
        first_id, sent = self.connection.send_all(prepared, requests), len(taken)
        self.in_flight.update(zip(range(first_id, first_id + 2 * sent, 2), zip(taken, repeat(now_s)), strict=False))
        delivery.counts.sent += sent
        return sent

    def _prepare(self, now_s: float) -> PreparedRequest | None:
        """What all requests have in common; None while there is no credential to send with."""
        authorization = self.delivery.credential.text(now_s)
        if authorization is None:
            return None
        if self._prepared is None or authorization is not self._authorizations[-1][1]:
            self._prepared = self.connection.prepare(self.delivery.provider.header_fields(authorization))
            self._authorizations.append((next(reversed(self.in_flight), 0), authorization))
        return self._prepared

    def _authorization_of(self, stream_id: int) -> bytes:
        """The credential that a request was sent with: a late answer must not cost its successor."""
        return next(
            (text for above, text in reversed(self._authorizations) if stream_id > above), self._authorizations[0][1]
        )

    def received(self, data: bytes, now_s: float) -> None:
        """Settle the answers in the bytes of one read."""
        self._heard_at_s = now_s
        self._pinged_at_s = None
        alike: list[Alike] = []
        responses = self.connection.receive_data(data, alike)
        accepted: list[int] = []  # streams
        for head, stream_ids, bodies in alike:
            if _is_acceptance(head):
                accepted += stream_ids
            else:
                each = zip(stream_ids, bodies or repeat(b""), strict=False)
                responses += [Response(stream_id, head, NO_VARYING, body) for stream_id, body in each]
        for response in responses:
            if _is_acceptance(response.head):
                accepted.append(response.stream_id)
            else:
                self._not_accepted(response, now_s)
        if accepted:
            self._accepted(accepted, now_s)
        if responses or accepted:
            self.delivery.last_answer_at_s = now_s
        if self.connection.events:
            self._happened(now_s)

    def _accepted(self, stream_ids: Sequence[int], now_s: float) -> None:
        """The provider took what was sent on these streams. Those that timed out before are passed over."""
        delivery, now_ms = self.delivery, int(now_s * 1000)
        entries = [entry for entry in map(self.in_flight.pop, stream_ids, repeat(None)) if entry is not None]
        delivery.outcomes += [
            _new_tuple(Outcome, (due[0], _ACCEPTED, 200, "", due[3] + 1, now_ms, 0, 0)) for due, _ in entries
        ]
        # What left in one write comes back in one read, mostly.
        for sent_at_s, count in Counter(map(itemgetter(1), entries)).items():
            delivery.counts.latency_ms[int((now_s - sent_at_s) * 1000)] += count
        self.settled += len(entries)
        delivery.counts.accepted += len(entries)

    def _not_accepted(self, response: Response, now_s: float) -> None:
        entry = self.in_flight.pop(response.stream_id, None)
        if entry is None:
            return  # timed out before
        due, sent_at_s = entry
        counts, latency = self.delivery.counts, int((now_s - sent_at_s) * 1000)
        counts.latency_ms[latency] += 1
        authorization = self._authorization_of(response.stream_id)
        action = self.delivery.settle(due, self.delivery.provider.read_answer(response), authorization, now_s)
        if action in _FINAL:
            self.settled += 1
        else:
            counts.latency_not_final_ms[latency] += 1
        if action is Action.MOVE:
            self.drain("the provider is shutting this connection")

    def _happened(self, now_s: float) -> None:
        for event in self.connection.take_events():
            match event:
                case StreamReset(stream_id=stream_id, code=code, local=local):
                    self._stream_reset(stream_id, code, local, now_s)
                case GoawayReceived(unprocessed=unprocessed, debug=debug, code=code):
                    self._goaway(unprocessed, code, debug)
                case ConnectionFailed(error=error):
                    self.why = str(error)
                case PingAcknowledged():
                    pass  # any byte shows that the peer lives
                case _:
                    pass  # the connection has drawn the consequences

    def _stream_reset(self, stream_id: int, code: int, local: bool, now_s: float) -> None:
        entry = self.in_flight.pop(stream_id, None)
        if entry is None:
            return
        if code == ErrorCode.REFUSED_STREAM and not local:
            # Never processed, so safe to send again. A connection that refuses is worn out: take another.
            self.delivery.give_back(entry[0])
            self.drain("the provider refuses streams on this connection")
        else:
            self._unanswered(entry[0], f"stream reset ({code_name(code)})", now_s)

    def _goaway(self, unprocessed: tuple[int, ...], code: int, debug: bytes) -> None:
        for stream_id in reversed(unprocessed):
            entry = self.in_flight.pop(stream_id, None)
            if entry is not None:
                self.delivery.give_back(entry[0])
        farewell = self.delivery.provider.read_goaway(debug)
        said = farewell.reason or debug[:80].decode("ascii", "backslashreplace")
        self.drain(f"GOAWAY {code_name(code)} {said}".strip())
        if farewell.final:
            self.delivery.stop(f"the provider closed the connection: {said}")

    def _unanswered(self, due: Due, what: str, now_s: float) -> None:
        self.delivery.settle(due, Answer(0, what), b"", now_s)

    def drain(self, why: str) -> None:
        """Take no more notifications on this connection; wait for the answers that are due."""
        self.draining = True
        self.why = self.why or why

    def tick(self, now_s: float) -> bool:
        """Look at the clock: time out single streams, ping a silent peer. False when the connection must be given up."""
        overdue_s = now_s - self.options.answer_timeout_s
        while self.in_flight:
            stream_id, (due, sent_at_s) = next(iter(self.in_flight.items()))
            if sent_at_s > overdue_s:
                break
            del self.in_flight[stream_id]
            self.connection.reset(stream_id, ErrorCode.CANCEL)
            self.delivery.counts.timed_out += 1
            self._unanswered(due, "no answer in time", now_s)
        if self._pinged_at_s is not None:
            if now_s - self._pinged_at_s > self.options.ping_timeout_s:
                self.why = f"no answer to a PING in {self.options.ping_timeout_s:g} s"
                return False
        elif self.in_flight and now_s - self._heard_at_s > self.options.ping_after_s:
            self._pinged_at_s = now_s
            self.connection.ping(b"pushrig?")
        return True

    def broken(self, error: BaseException) -> None:
        """The socket or TLS failed; `lost` follows. A refused client certificate ends the campaign: no retry can mend it."""
        self.why = self.why or in_words(error)
        alert = certificate_alert(error)
        if alert is not None:
            self.delivery.stop(f"the provider refuses the client certificate: {alert}")

    def lost(self, now_s: float) -> None:
        """The socket is gone. What was in flight may have been processed: it counts as an attempt and is sent again."""
        if self.in_flight:
            self.delivery.counts.connections_lost += 1
        for due, _ in self.in_flight.values():
            self._unanswered(due, "connection lost", now_s)
        self.in_flight.clear()
        self.draining = True


def _is_acceptance(head: Head) -> bool:
    if head.memo is None:
        head.memo = head.value(b":status")
    return head.memo == b"200"
