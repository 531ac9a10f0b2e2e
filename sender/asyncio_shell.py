"""The sender under asyncio: sockets, timers and the exchange with the store. It moves bytes; `Delivery` and `Lane` decide."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from sender.delivery import Delivery
from sender.lane import Lane
from sender.pace import catch_up, pace
from sender.pool import Endpoint, PoolOptions, reconnect_pause_s
from sender.store.records import Exchange, Outcome

TICK_S = 0.05
# Claimed, with the result not yet stored: what may arrive twice after a `kill -9` (see docs/architecture.md).
UNCOMMITTED_MAX = 4_096
# A batch is what one exchange claims at most; smaller ones cost more transactions, larger ones leave the wire idle.
BATCH_MAX = 1_024
# So many results make an exchange worth its transaction; fewer are stored with the next tick.
OUTCOMES_WORTH_STORING = 512


class Source(Protocol):
    """Where notifications come from and results go: the device store's campaign, or a population in memory."""

    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        """Take results and claim up to `want` notifications, in one transaction."""


class _LaneProtocol(asyncio.Protocol):
    """One socket: bytes in to the lane, bytes out from it, once per read."""

    def __init__(self, run: "AsyncioRun") -> None:
        self.run = run
        self.lane = Lane(run.delivery, run.pool.lane, run.now())
        self.closed: asyncio.Future[None] = run.loop.create_future()
        self.opened_at_s = run.now()
        self.paused = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=1 << 18)
        self.run.protocols.append(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
        now_s = self.run.now()
        self.lane.received(data, now_s)
        self.run.pump(self, now_s)
        self.run.consider_exchange()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.run.pump(self, self.run.now())

    def connection_lost(self, exc: Exception | None) -> None:
        self.run.protocols.remove(self)
        if exc is not None and not self.lane.why:
            self.lane.why = str(exc) or type(exc).__name__
        self.lane.lost(self.run.now())
        if not self.closed.done():
            self.closed.set_result(None)
        self.run.consider_exchange()

    def flush(self) -> None:
        data = self.lane.data_to_send()
        if data:
            self.transport.write(data)
        if self.lane.finished:
            self.transport.close()


class AsyncioRun:
    """One run of a campaign.

    `source`: asked from one thread of its own. `tls`: the context, None for clear text. `now`: seconds since the epoch.
    `rate_per_s`: 0 for as fast as the provider answers. `on_progress`: called a few times a second.
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
        rate_per_s: float = 0.0,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.delivery = delivery
        self.endpoint = endpoint
        self.pool = pool
        self.now = now
        self.protocols: list[_LaneProtocol] = []
        self.loop: asyncio.AbstractEventLoop
        self.last_error = ""
        self._source = source
        self._tls = tls
        self._draw = draw
        self._rate_per_s = rate_per_s
        self._on_progress = on_progress
        self._paced = 0
        self._exhausted = False
        self._next_retry_at_ms: int | None = None
        self._exchanging = False
        self._done: asyncio.Future[None]
        self._store_thread: ThreadPoolExecutor

    async def run(self) -> None:
        """Send until nothing is left, the campaign stops, or the provider stays silent for `stall_timeout_s`.

        All results are stored when this returns; errors of the source are raised.
        """
        self.loop = asyncio.get_running_loop()
        self._done = self.loop.create_future()
        self._started_at_s = self._claimed_since_s = self.now()
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="store") as self._store_thread:
            self.consider_exchange()
            tasks = [asyncio.create_task(self._keep_connected()) for _ in range(self.pool.connections)]
            tasks.append(asyncio.create_task(self._tick()))
            try:
                await self._done
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for protocol in list(self.protocols):
                    protocol.transport.close()

    def interrupt(self) -> None:
        """Stop claiming; what is in flight is waited for, and the run ends."""
        self.delivery.stop("interrupted")

    # Connections.

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            if self._idle():
                await asyncio.sleep(TICK_S)
                continue
            await asyncio.sleep(reconnect_pause_s(failures, self.pool, self._draw()))
            try:
                async with asyncio.timeout(self.pool.connect_timeout_s):
                    _, protocol = await self.loop.create_connection(
                        lambda: _LaneProtocol(self),
                        self.endpoint.host,
                        self.endpoint.port,
                        ssl=self._tls,
                        server_hostname=self.endpoint.host if self._tls is not None else None,
                    )
            except ssl.SSLCertVerificationError as error:
                # Not a matter of time: every further attempt would end the same way.
                self.delivery.stop(
                    f"the certificate of {self.endpoint.authority} is not trusted: {error.verify_message}"
                )
                failures += 1
                continue
            except (OSError, TimeoutError) as error:
                failures += 1
                self.last_error = str(error) or f"no connection within {self.pool.connect_timeout_s:g} s"
                continue
            await protocol.closed
            self.last_error = protocol.lane.why or self.last_error
            failures = 0 if protocol.lane.answered else failures + 1

    def _idle(self) -> bool:
        """No connection is worth opening now: everything claimed is under way, or waits for its time."""
        return not self.delivery.ready or self.delivery.stopped is not None

    def pump(self, protocol: _LaneProtocol, now_s: float) -> None:
        """Let one lane take what it can, and write once."""
        if not protocol.paused and self.delivery.ready:
            allowance, _ = pace(now_s - self._started_at_s, self._paced, self._rate_per_s)
            if allowance > 0:
                self._paced += protocol.lane.fill(now_s, allowance)
        protocol.flush()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now_s = self.now()
            self._paced = catch_up(now_s - self._started_at_s, self._paced, self._rate_per_s)
            for protocol in list(self.protocols):
                lane = protocol.lane
                alive = lane.tick(now_s)
                if not lane.connection.settings_received:
                    alive = now_s - protocol.opened_at_s < self.pool.settings_timeout_s
                    lane.why = lane.why or ("" if alive else "no SETTINGS from the server")
                if not alive:
                    protocol.transport.abort()
                else:
                    self.pump(protocol, now_s)
            self._watch_for_stall(now_s)
            self._exchange_if(len(self.delivery.outcomes) > 0 or self._retry_due(now_s) or self._nothing_claimed())
            self._on_progress()

    def _watch_for_stall(self, now_s: float) -> None:
        silent_since_s = max(self.delivery.last_answer_at_s or 0.0, self._claimed_since_s)
        if self.delivery.claimed and now_s - silent_since_s > self.pool.stall_timeout_s:
            why = f"; the last error was: {self.last_error}" if self.last_error else ""
            self.delivery.stop(f"no answer from {self.endpoint.authority} for {self.pool.stall_timeout_s:g} s{why}")
            for protocol in list(self.protocols):
                protocol.transport.abort()

    # The store.

    def consider_exchange(self) -> None:
        """Exchange with the store when it is worth a transaction."""
        delivery = self.delivery
        want = 0 if self._exhausted or delivery.stopped is not None else UNCOMMITTED_MAX - delivery.claimed
        self._exchange_if(
            len(delivery.outcomes) >= OUTCOMES_WORTH_STORING or (want >= BATCH_MAX and len(delivery.ready) < BATCH_MAX)
        )

    def _nothing_claimed(self) -> bool:
        return not self.delivery.claimed and self._next_retry_at_ms is None

    def _retry_due(self, now_s: float) -> bool:
        return self._next_retry_at_ms is not None and now_s * 1000 >= self._next_retry_at_ms

    def _exchange_if(self, worthwhile: bool) -> None:
        if not worthwhile or self._exchanging or self._done.done():
            return
        self._exchanging = True
        delivery, now_s = self.delivery, self.now()
        if delivery.stopped is not None:
            delivery.give_up_ready(now_s)
        outcomes = delivery.take_outcomes()
        # Nothing that is being stored counts as stored yet.
        room = UNCOMMITTED_MAX - delivery.claimed - len(outcomes)
        want = min(BATCH_MAX, room) if delivery.stopped is None else 0
        future = self._store_thread.submit(self._source.exchange, outcomes, max(0, want), int(now_s * 1000))
        future.add_done_callback(
            lambda done: self.loop.call_soon_threadsafe(self._exchanged, done.result, done.exception)
        )

    def _exchanged(self, result: Callable[[], Exchange], exception: Callable[[], BaseException | None]) -> None:
        self._exchanging = False
        error = exception()
        if error is not None:
            if not self._done.done():
                self._done.set_exception(error)
            return
        exchange = result()
        delivery = self.delivery
        if not delivery.claimed:
            self._claimed_since_s = self.now()  # silence counts only while there is something to answer
        delivery.add(exchange.due)
        self._exhausted, self._next_retry_at_ms = exchange.exhausted, exchange.next_retry_at_ms
        now_s = self.now()
        for protocol in list(self.protocols):
            self.pump(protocol, now_s)
        finished = exchange.exhausted or delivery.stopped is not None
        if finished and not delivery.claimed and not self._done.done():
            self._done.set_result(None)
            return
        self.consider_exchange()


async def run_until_done(run: AsyncioRun) -> None:
    """Run with Ctrl-C as a wish to end in good order: what is in flight is waited for and stored."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # no signal handlers on this platform: Ctrl-C ends at once
        import signal

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, run.interrupt)
    await run.run()
