"""The sender under gevent, as Locust runs it: greenlets, sockets and timers.

It moves bytes; `Run`, `Delivery` and `Lane` decide.

One greenlet for each connection connects, reads and settles; a second one writes what the socket did not take at once, so that
neither end ever waits for the other to read. TLS goes through memory (`ssl.MemoryBIO`): one read of the socket may hold
many TLS records, and the context may be of the standard library or of gevent.
"""

import contextlib
import errno
import socket
import ssl
import time
from collections.abc import Callable

import gevent
import gevent.event
import gevent.socket

from sender.credential import CredentialAnswer, CredentialRequest
from sender.delivery import Delivery
from sender.lane import Lane
from sender.pool import Endpoint, PoolOptions
from sender.run import TICK_S, Pacer, Run, Seat, Source, Wanted
from sender.store.records import Due

READ_BYTES = 1 << 18
CONNECTED_POLL_S = 0.002
READS_IN_A_ROW_MAX = 8  # then other greenlets have a turn, even while this socket has more
_WOULD_BLOCK = (errno.EAGAIN, errno.EWOULDBLOCK)


class _Channel:
    """One socket, with or without TLS. Reading and writing never wait for each other.

    `unsent`: bytes that the socket has not taken yet; the caller adds more only when there are none, so that they are
    bounded by what the streams of one connection can hold.
    """

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None) -> None:
        """Connect and shake hands; waits in the calling greenlet. Raises OSError (ssl.SSLError is one)."""
        self._unsent = b""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._reads = 0
        self._writable = gevent.event.Event()
        self._socket = gevent.socket.create_connection((endpoint.host, endpoint.port))
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setblocking(False)
            self._tls = (
                None if tls is None else tls.wrap_bio(self._incoming, self._outgoing, server_hostname=endpoint.host)
            )
            if self._tls is not None:
                self._shake_hands(self._tls)
        except BaseException:
            self._socket.close()
            raise

    def _shake_hands(self, tls: ssl.SSLObject) -> None:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._send_all()
                data = self._receive()
                if not data:
                    raise ConnectionResetError(errno.ECONNRESET, "closed during the TLS handshake") from None
                self._incoming.write(data)
            except ssl.SSLError:
                self._push()  # the alert that tells the server why
                raise
            else:
                self._send_all()
                return

    def _send_all(self) -> None:
        self._push()
        while self._unsent:
            gevent.socket.wait_write(self._socket.fileno())
            self._push()

    def _receive(self) -> bytes:
        """Bytes from the socket as soon as there are any; b"" at its end."""
        while True:
            try:
                data: bytes = self._socket.recv(READ_BYTES)
            except OSError as error:
                if error.errno not in _WOULD_BLOCK:
                    raise
                self._reads = 0
                gevent.socket.wait_read(self._socket.fileno())
                continue
            self._reads += 1
            if self._reads >= READS_IN_A_ROW_MAX:
                self._reads = 0
                gevent.sleep(0)
            return data

    def read(self) -> bytes:
        """What the peer has sent, as soon as there is any; b"" at the end. Raises OSError."""
        tls = self._tls
        if tls is None:
            return self._receive()
        while True:
            data = self._receive()
            if not data:
                return b""
            self._incoming.write(data)
            pieces = []
            try:
                while piece := tls.read(READ_BYTES):
                    pieces.append(piece)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLZeroReturnError:
                return b"".join(pieces)
            if self._outgoing.pending:
                self._push()  # TLS' own: an answer to a key update
            if pieces:
                return b"".join(pieces)

    def write(self, data: bytes) -> None:
        """Send, or keep as `unsent` what the socket does not take now. Raises OSError."""
        if self._tls is None:
            self._unsent += data
        else:
            while data:
                data = data[self._tls.write(data) :]
        self._push()

    def _push(self) -> None:
        data = self._unsent + self._outgoing.read()
        try:
            while data:
                data = data[self._socket.send(data) :]
        except OSError as error:
            if error.errno not in _WOULD_BLOCK:
                raise
            self._writable.set()
        finally:
            self._unsent = data

    @property
    def unsent(self) -> bool:
        """The socket is full: what was written waits."""
        return bool(self._unsent)

    def drain(self) -> None:
        """Wait until there is something unsent, then until the socket has taken it. Raises OSError."""
        self._writable.wait()
        self._send_all()
        self._writable.clear()

    def shut(self) -> None:
        """End the connection both ways: a greenlet that reads comes to the end."""
        with contextlib.suppress(OSError):  # it is gone already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()


class _Connection:
    """One lane and its channel, from preface to close."""

    def __init__(self, run: "GeventRun", channel: _Channel) -> None:
        self._run = run
        self._channel = channel
        self.opened_at_s = run.now()
        self.lane = Lane(run.delivery, run.pool.lane, self.opened_at_s)

    def serve(self) -> None:
        """Read and settle until the connection ends; what was in flight then goes back to the delivery."""
        run, lane, channel = self._run, self.lane, self._channel
        writer = gevent.spawn(self._write_on)
        run.connections.append(self)
        try:
            self.flush()
            while data := channel.read():
                now_s = run.now()
                lane.received(data, now_s)
                self.pump(now_s)
                run.exchange_after_read(now_s)
        except OSError as error:
            lane.broken(error)
        finally:
            writer.kill()  # waits: it may still watch the descriptor that is closed below
            run.connections.remove(self)
            channel.close()
            lane.lost(run.now())
        run.exchange_after_read(run.now())

    def pump(self, now_s: float) -> None:
        """Let the lane take what it can, and write once."""
        if not self._channel.unsent:
            self._run.core.fill(self.lane, now_s)
        self.flush()

    def flush(self) -> None:
        try:
            data = self.lane.data_to_send()
            if data:
                self._channel.write(data)
        except OSError as error:
            self.lane.broken(error)
            self.abort()
            return
        if self.lane.finished and not self._channel.unsent:
            self._channel.shut()

    def abort(self, why: str = "") -> None:
        """Give the connection up; its greenlet comes to the end and settles what was in flight."""
        self.lane.why = self.lane.why or why
        self._channel.shut()

    def _write_on(self) -> None:
        """Write what the socket did not take at once, as it becomes ready for more."""
        while True:
            try:
                self._channel.drain()
            except OSError as error:
                self.lane.broken(error)
                self.abort()
                return
            self.pump(self._run.now())


class GeventRun:
    """One run of a campaign, or several over the same connections: `open`, `send` for each, `close`.

    `source`: asked in the greenlet that has something for it, so it should answer from memory. `tls`: the context, None for
    clear text. `now`: seconds since the epoch. `pacer`: None for as fast as the provider answers; several runs may share
    one. `fetch`: gets a credential that has to be asked for, in a thread. `on_progress`: called a few times a second.
    """

    def __init__(
        self,
        delivery: Delivery,
        source: Source,
        endpoint: Endpoint,
        tls: ssl.SSLContext | None,
        pool: PoolOptions,
        *,
        draw: Callable[[], float],
        now: Callable[[], float] = time.time,
        pacer: Pacer | None = None,
        fetch: Callable[[CredentialRequest], CredentialAnswer] | None = None,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.delivery = delivery
        self.endpoint = endpoint
        self.pool = pool
        self.now = now
        self.connections: list[_Connection] = []
        self.core = Run(delivery, endpoint, pool, pacer or Pacer(0.0, now()), now())
        self._source = source
        self._tls = tls
        self._draw = draw
        self._fetch = fetch
        self._on_progress = on_progress
        self._greenlets: list[gevent.Greenlet] = []
        self._ended = gevent.event.Event()
        self._work_came = gevent.event.Event()  # there is something to send: connections are worth opening
        self._error: BaseException | None = None

    @property
    def last_error(self) -> str:
        """Why the last connection was not opened, or ended; "" while none has failed."""
        return self.core.last_error

    def run(self) -> None:
        """Send until nothing is left, the campaign stops, or the provider stays silent for `stall_timeout_s`.

        All results are with the source when this returns; errors of the source are raised.
        """
        try:
            self.open()
            self.send()
        finally:
            self.close()

    def open(self, *, ahead: bool = False) -> None:
        """Start the greenlets. Connections are opened once there is something to send; `ahead`: now."""
        self._greenlets = [gevent.spawn(self._keep_connected, ahead) for _ in range(self.pool.connections)]
        self._greenlets.append(gevent.spawn(self._tick))
        for greenlet in self._greenlets:
            greenlet.link_exception(self._failed)

    def await_connections(self, timeout_s: float) -> bool:
        """Wait until those that are opened ahead can take notifications; False when `timeout_s` pass before, or none will."""
        with gevent.Timeout(timeout_s, False):
            while self.delivery.stopped is None:
                ready = sum(each.lane.connection.settings_received for each in self.connections)
                if ready >= self.pool.connections:
                    return True
                gevent.sleep(CONNECTED_POLL_S)
        return False

    def send(self) -> None:
        """Send all that the source has, now or again, and wait for the end as `run` does."""
        self._ended.clear()
        self._error = None
        now_s = self.now()
        self.core.begin(now_s)
        self._exchange(self.core.exchange_at_tick(now_s))
        self.wait()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of what `send` began; False when `timeout_s` pass before. Raises errors of the source."""
        ended = self._ended.wait(timeout_s)
        if self._error is not None:
            raise self._error
        return bool(ended)

    def close(self) -> None:
        """Close the connections; what is in flight then gets no outcome."""
        gevent.killall(self._greenlets)
        self._greenlets.clear()

    def _failed(self, greenlet: gevent.Greenlet) -> None:
        # A defect; whoever waits for the end shall hear of it.
        self.core.exchange_failed()
        self._error = greenlet.exception
        self._ended.set()

    def wake(self) -> None:
        """The source has more to send, or has come to its end: ask it now, rather than with the next tick."""
        self._exchange(self.core.exchange_at_tick(self.now()))

    @property
    def in_flight(self) -> list[Due]:
        """Notifications that were sent, and wait for their answers."""
        return [due for connection in self.connections for due, _ in connection.lane.in_flight.values()]

    def interrupt(self) -> None:
        """Stop claiming; what is in flight is waited for, and the run ends."""
        self.delivery.stop("interrupted")

    # Connections.

    def _keep_connected(self, ahead: bool) -> None:
        seat = Seat(self.core)
        while True:
            if self.core.idle and not ahead:
                self._work_came.clear()
                self._work_came.wait()
                continue
            ahead = False
            gevent.sleep(seat.pause_s(self._draw()))
            try:
                with gevent.Timeout(self.pool.connect_timeout_s, TimeoutError()):
                    channel = _Channel(self.endpoint, self._tls)
            except ssl.SSLCertVerificationError as error:
                seat.not_trusted(error.verify_message)
                continue
            except (OSError, UnicodeError) as error:  # the latter: a host name that cannot be one
                seat.not_connected(error)
                continue
            connection = _Connection(self, channel)
            connection.serve()
            seat.closed(connection.lane)

    def _tick(self) -> None:
        while True:
            gevent.sleep(TICK_S)
            now_s = self.now()
            self.core.tick(now_s)
            for connection in list(self.connections):
                if self.core.look_after(connection.lane, connection.opened_at_s, now_s):
                    connection.pump(now_s)
                else:
                    connection.abort()
            if self.core.stalled(now_s):
                for connection in list(self.connections):
                    connection.abort()
            self._exchange(self.core.exchange_at_tick(now_s))
            self._tell_of_work()
            self._ask_for_credential(now_s)
            self._on_progress()

    def _tell_of_work(self) -> None:
        if not self.core.idle:
            self._work_came.set()

    # The credential.

    def _ask_for_credential(self, now_s: float) -> None:
        request = self.core.credential_request(now_s)
        if request is not None:
            # No greenlet of this run's own: others may share the credential, and wait for it when this run has ended.
            gevent.spawn(self._fetch_credential, request)

    def _fetch_credential(self, request: CredentialRequest) -> None:
        assert self._fetch is not None, "the credential has to be asked for, and nobody can"
        # In a thread of gevent's: the sockets of the standard library would hold up all greenlets where nothing is patched.
        answer = gevent.get_hub().threadpool.apply(self._fetch, (request,))
        now_s = self.now()
        self.core.credential_answered(answer, now_s, self._draw())
        for connection in list(self.connections):
            connection.pump(now_s)

    # The source.

    def exchange_after_read(self, now_s: float) -> None:
        """Exchange with the source when it is worth it."""
        self._exchange(self.core.exchange_after_read(now_s))

    def _exchange(self, wanted: Wanted | None) -> None:
        while wanted is not None:
            try:
                exchange = self._source.exchange(*wanted)
            except Exception as error:
                self.core.exchange_failed()
                self._error = error
                self._ended.set()
                return
            now_s = self.now()
            self.core.exchanged(exchange, now_s)
            self._tell_of_work()
            self._ask_for_credential(now_s)
            for connection in list(self.connections):
                connection.pump(now_s)
            if self.core.end_if_done():
                self._ended.set()
                return
            wanted = self.core.exchange_after_read(now_s)
