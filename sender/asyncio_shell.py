"""The sender under asyncio: sockets, timers and the exchange with the store.

It moves bytes; `Run`, `Delivery` and `Lane` decide.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sender.delivery import Delivery
from sender.lane import Lane
from sender.pool import Endpoint, PoolOptions
from sender.run import BATCH_MAX, TICK_S, UNCOMMITTED_MAX, Pacer, Run, Seat, Source, Wanted
from sender.store.records import Exchange

__all__ = ["BATCH_MAX", "TICK_S", "UNCOMMITTED_MAX", "AsyncioRun", "Source", "run_until_done"]

WRITE_BUFFER_BYTES = 1 << 18  # unsent bytes of a connection, above which it takes no more notifications


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
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self.run.protocols.append(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
        now_s = self.run.now()
        self.lane.received(data, now_s)
        self.run.pump(self, now_s)
        self.run.exchange_after_read(now_s)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.run.pump(self, self.run.now())

    def connection_lost(self, exc: Exception | None) -> None:
        self.run.protocols.remove(self)
        if exc is not None:
            self.lane.broken(exc)
        now_s = self.run.now()
        self.lane.lost(now_s)
        if not self.closed.done():
            self.closed.set_result(None)
        self.run.exchange_after_read(now_s)

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
        self._source = source
        self._tls = tls
        self._draw = draw
        self._rate_per_s = rate_per_s
        self._on_progress = on_progress
        self._run: Run
        self._done: asyncio.Future[None]
        self._work_came: asyncio.Event  # there is something to send: connections are worth opening
        self._store_thread: ThreadPoolExecutor

    @property
    def last_error(self) -> str:
        """Why the last connection was not opened, or ended; "" while none has failed."""
        return self._run.last_error

    async def run(self) -> None:
        """Send until nothing is left, the campaign stops, or the provider stays silent for `stall_timeout_s`.

        All results are stored when this returns; errors of the source are raised.
        """
        self.loop = asyncio.get_running_loop()
        self._done = self.loop.create_future()
        self._work_came = asyncio.Event()
        now_s = self.now()
        self._run = Run(self.delivery, self.endpoint, self.pool, Pacer(self._rate_per_s, now_s), now_s)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="store") as self._store_thread:
            self.exchange_after_read(now_s)
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
        seat = Seat(self._run)
        while True:
            if self._run.idle:
                self._work_came.clear()
                await self._work_came.wait()
                continue
            await asyncio.sleep(seat.pause_s(self._draw()))
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
                seat.not_trusted(error.verify_message)
                continue
            except (OSError, UnicodeError) as error:  # the latter: a host name that cannot be one
                seat.not_connected(error)
                continue
            await protocol.closed
            seat.closed(protocol.lane)

    def pump(self, protocol: _LaneProtocol, now_s: float) -> None:
        """Let one lane take what it can, and write once."""
        if not protocol.paused:
            self._run.fill(protocol.lane, now_s)
        protocol.flush()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now_s = self.now()
            self._run.tick(now_s)
            for protocol in list(self.protocols):
                if self._run.look_after(protocol.lane, protocol.opened_at_s, now_s):
                    self.pump(protocol, now_s)
                else:
                    protocol.transport.abort()
            if self._run.stalled(now_s):
                for protocol in list(self.protocols):
                    protocol.transport.abort()
            self._exchange(self._run.exchange_at_tick(now_s))
            self._tell_of_work()
            self._on_progress()

    def _tell_of_work(self) -> None:
        if not self._run.idle:
            self._work_came.set()

    # The store.

    def exchange_after_read(self, now_s: float) -> None:
        """Exchange with the store when it is worth a transaction."""
        self._exchange(self._run.exchange_after_read(now_s))

    def _exchange(self, wanted: Wanted | None) -> None:
        if wanted is None:
            return
        future = self._store_thread.submit(self._source.exchange, *wanted)
        future.add_done_callback(
            lambda done: self.loop.call_soon_threadsafe(self._exchanged, done.result, done.exception)
        )

    def _exchanged(self, result: Callable[[], Exchange], exception: Callable[[], BaseException | None]) -> None:
        error = exception()
        if error is not None:
            self._run.exchange_failed()
            if not self._done.done():
                self._done.set_exception(error)
            return
        now_s = self.now()
        self._run.exchanged(result(), now_s)
        self._tell_of_work()
        for protocol in list(self.protocols):
            self.pump(protocol, now_s)
        if self._run.end_if_done():
            if not self._done.done():
                self._done.set_result(None)
            return
        self.exchange_after_read(now_s)


async def run_until_done(run: AsyncioRun) -> None:
    """Run with Ctrl-C as a wish to end in good order: what is in flight is waited for and stored."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # no signal handlers on this platform: Ctrl-C ends at once
        import signal

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, run.interrupt)
    await run.run()
