"""One connection of the pool: takes notifications from a `Delivery`, sends them, and settles their answers. No I/O.

A shell opens the socket, hands in the bytes of each read with `received`, calls `fill`, and writes `data_to_send()` once.
It calls `tick` a few times a second, and `lost` when the socket is gone. Nothing is lost with a connection: what it had in
flight goes back to the delivery under the same apns-id.
"""

from dataclasses import dataclass

from sender.apns.messages import PATH_PREFIX, goaway_reason, header_fields, read_answer
from sender.apns.reasons import Action, action_for
from sender.delivery import Delivery
from sender.network_errors import certificate_alert, in_words
from sender.reaction import Answer
from sender.store.records import Due, Outcome, State
from sender.template import Refusal
from wire.client import ClientConnection, PreparedRequest
from wire.errors import ErrorCode, code_name
from wire.events import ConnectionFailed, GoawayReceived, PingAcknowledged, StreamReset

_ACCEPTED = State.ACCEPTED
# Our own finding, in the provider's word: what is personalised can be too large for some and not for others.
_TOO_LARGE = Refusal("PayloadTooLarge")
_new_tuple = tuple.__new__  # a named tuple at half the cost of calling its class
_FINAL = (Action.REJECT, Action.INVALIDATE)


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """Limits of one connection.

    `streams_max`: ours, beside the peer's. `answer_timeout_s`: a stream without an answer is reset alone. `ping_after_s`:
    silence of the peer, with requests in flight, before it is pinged; `ping_timeout_s`: how long the answer may take.
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
        self.connection = ClientConnection(first_stream_id=options.first_stream_id)
        self.in_flight: dict[int, tuple[Due, float]] = {}  # stream -> notification and when it was sent, oldest first
        self.draining = False  # takes no more; closes when what is in flight is answered
        self.answered = 0
        self.why = ""  # why it drains or failed
        self._prepared: PreparedRequest | None = None
        self._token: bytes | None = b""
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
        return min(connection.streams_free, self.options.streams_max - len(self.in_flight))

    def data_to_send(self) -> bytes:
        """Bytes for the socket, b"" when there are none."""
        return self.connection.data_to_send()

    def fill(self, now_s: float, allowance: int) -> int:
        """Send as many ready notifications as limits, windows and `allowance` permit; returns how many."""
        delivery = self.delivery
        ready = delivery.ready
        room = min(self.room, allowance, len(ready))
        if room <= 0 or delivery.stopped is not None:
            return 0
        connection, in_flight = self.connection, self.in_flight
        prepared = self._prepare(now_s)
        send, render, id_prefix = connection.send, delivery.render, delivery.apns_id_prefix
        payload_bytes_max = delivery.payload_bytes_max
        sent = 0
        while sent < room and ready:
            due = ready.popleft()
            device_id, token, _, _, attributes = due
            payload = render(attributes)
            if not isinstance(payload, bytes):
                delivery.refuse(due, payload, now_s)
                continue
            size = len(payload)
            if size > payload_bytes_max:
                delivery.refuse(due, _TOO_LARGE, now_s)
                continue
            if size > connection.outbound_window:
                ready.appendleft(due)
                break
            stream_id = send(prepared, PATH_PREFIX + token.encode(), id_prefix + b"%012x" % device_id, payload)
            in_flight[stream_id] = (due, now_s)
            sent += 1
        delivery.counts.sent += sent
        return sent

    def _prepare(self, now_s: float) -> PreparedRequest:
        delivery = self.delivery
        token = delivery.authorization(now_s) if delivery.authorization is not None else None
        if self._prepared is None or token is not self._token:
            self._prepared = self.connection.prepare(header_fields(delivery.options, token))
            self._token = token
        return self._prepared

    def received(self, data: bytes, now_s: float) -> None:
        """Settle the answers in the bytes of one read."""
        self._heard_at_s = now_s
        self._pinged_at_s = None
        delivery, in_flight, connection = self.delivery, self.in_flight, self.connection
        latency_ms = delivery.counts.latency_ms
        append = delivery.outcomes.append
        now_ms = int(now_s * 1000)
        accepted = same = 0
        latency, sent_before_s = 0, None
        responses = connection.receive_data(data)
        for response in responses:
            entry = in_flight.pop(response.stream_id, None)
            if entry is None:
                continue  # timed out before
            due, sent_at_s = entry
            if sent_at_s != sent_before_s:  # what left in one write comes back in one read, mostly: counted together
                if same:
                    latency_ms[latency] += same
                latency, sent_before_s, same = int((now_s - sent_at_s) * 1000), sent_at_s, 0
            same += 1
            head = response.head
            if head.memo is None:
                head.memo = head.value(b":status")
            if head.memo == b"200":
                accepted += 1
                append(_new_tuple(Outcome, (due[0], _ACCEPTED, 200, "", due[3] + 1, now_ms, 0, 0)))
                continue
            action = delivery.settle(due, read_answer(response), self._token or b"", now_s)
            if action not in _FINAL:
                delivery.counts.latency_not_final_ms[latency] += 1
            if action is Action.MOVE:
                self.drain("the provider is shutting this connection")
        if same:
            latency_ms[latency] += same
        if responses:
            self.answered += len(responses)
            delivery.counts.accepted += accepted
            delivery.last_answer_at_s = now_s
        if connection.events:
            self._happened(now_s)

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
        reason = goaway_reason(debug)
        self.drain(f"GOAWAY {code_name(code)} {reason or debug[:80].decode('ascii', 'backslashreplace')}".strip())
        if reason and action_for(403, reason) is Action.STOP:
            self.delivery.stop(f"the provider closed the connection: {reason}")

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
