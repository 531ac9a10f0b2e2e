"""The sender under asyncio: sockets, timers and the exchange with the store.

It moves bytes; `Run`, `Delivery` and `Lane` decide.
"""

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from sender.credential import CredentialAnswer, CredentialRequest
from sender.delivery import Delivery
from sender.lane import Lane
from sender.pool import Endpoint, PoolOptions
from sender.run import BATCH_MAX, TICK_S, UNCOMMITTED_MAX, Pacer, Run, Seat, Source, Wanted
from sender.store.records import Exchange

__all__ = ["BATCH_MAX", "TICK_S", "UNCOMMITTED_MAX", "AsyncioRun", "Source", "run_all_until_done"]

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

    `source`: asked from one thread, `store_thread`, which runs may share; None for one of its own. `tls`: the context, None
    for clear text. `now`: seconds since the epoch. `pacer`: None for as fast as the provider answers; runs may share one.
    `fetch`: gets a credential that has to be asked for, in a thread. `on_progress`: called a few times a second.
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
        store_thread: ThreadPoolExecutor | None = None,
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
        self._fetch = fetch
        self._on_progress = on_progress
        self._run = Run(delivery, endpoint, pool, pacer or Pacer(0.0, now()), now())
        self._done: asyncio.Future[None]
        self._work_came: asyncio.Event  # there is something to send: connections are worth opening
        self._store_thread = store_thread

    @property
    def last_error(self) -> str:
        """Why the last connection was not opened, or ended; "" while none has failed."""
        return self._run.last_error

    async def run(self) -> None:
        """Send until nothing is left, the campaign stops, or the provider stays silent for `stall_timeout_s`.

        All results are stored when this returns; errors of the source are raised, and so are our own.
        """
        self.loop = asyncio.get_running_loop()
        self._done = self.loop.create_future()
        self._work_came = asyncio.Event()
        with contextlib.ExitStack() as held:
            if self._store_thread is None:
                self._store_thread = held.enter_context(new_store_thread())
            now_s = self.now()
            self._run.begin(now_s)
            self.exchange_after_read(now_s)
            tasks = [asyncio.create_task(self._keep_connected()) for _ in range(self.pool.connections)]
            tasks.append(asyncio.create_task(self._tick()))
            for task in tasks:
                task.add_done_callback(self._ended)
            try:
                await self._done
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for protocol in list(self.protocols):
                    protocol.transport.close()

    def allow_uncommitted(self, count: int) -> None:
        """See `Run.allow_uncommitted`."""
        self._run.allow_uncommitted(count)

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
            self._ask_for_credential(now_s)
            self._on_progress()

    def _tell_of_work(self) -> None:
        if not self._run.idle:
            self._work_came.set()

    # The credential.

    def _ask_for_credential(self, now_s: float) -> None:
        request = self._run.credential_request(now_s)
        if request is not None:
            threading.Thread(target=self._fetch_credential, args=(request,), name="credential", daemon=True).start()

    def _fetch_credential(self, request: CredentialRequest) -> None:
        assert self._fetch is not None, "the credential has to be asked for, and nobody can"
        answer = self._fetch(request)
        with contextlib.suppress(RuntimeError):  # the event loop is closed: the run is over
            self.loop.call_soon_threadsafe(self._credential_answered, answer)

    def _credential_answered(self, answer: CredentialAnswer) -> None:
        now_s = self.now()
        self._run.credential_answered(answer, now_s, self._draw())
        for protocol in list(self.protocols):
            self.pump(protocol, now_s)

    # The store.

    def exchange_after_read(self, now_s: float) -> None:
        """Exchange with the store when it is worth a transaction."""
        self._exchange(self._run.exchange_after_read(now_s))

    def _exchange(self, wanted: Wanted | None) -> None:
        if wanted is None:
            return
        assert self._store_thread is not None
        future = self._store_thread.submit(self._source.exchange, *wanted)
        future.add_done_callback(
            lambda done: self.loop.call_soon_threadsafe(self._exchanged, done.result, done.exception)
        )

    def _exchanged(self, result: Callable[[], Exchange], exception: Callable[[], BaseException | None]) -> None:
        error = exception()
        if error is not None:
            self._failed(error)
            return
        try:
            self._take(result())
        except Exception as defect:
            self._failed(defect)

    def _take(self, exchange: Exchange) -> None:
        now_s = self.now()
        self._run.exchanged(exchange, now_s)
        self._tell_of_work()
        self._ask_for_credential(now_s)
        self.exchange_after_read(now_s)  # before the lanes are filled: the store works meanwhile
        for protocol in list(self.protocols):
            self.pump(protocol, now_s)
        if self._run.end_if_done():
            if not self._done.done():
                self._done.set_result(None)
            return
        self.exchange_after_read(now_s)

    # The end by an error.

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Without the tick nothing would end the run, not even a wish to interrupt it.
        if not task.cancelled() and (defect := task.exception()) is not None:
            self._failed(defect)

    def _failed(self, error: BaseException) -> None:
        self._run.exchange_failed()
        if not self._done.done():
            self._done.set_exception(error)


def new_store_thread() -> ThreadPoolExecutor:
    """The one thread that asks a store, for the length of a `with` block."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")


async def run_all_until_done(runs: Sequence[AsyncioRun]) -> None:
    """Run side by side with Ctrl-C as a wish to end in good order: what is in flight is waited for and stored.

    Together they have `UNCOMMITTED_MAX` notifications under way; those that end leave their share to the others.
    Errors of a source end all of them, and are raised.
    """
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        for run in runs:
            run.interrupt()

    with contextlib.suppress(NotImplementedError):  # no signal handlers on this platform: Ctrl-C ends at once
        import signal

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
    under_way = list(runs)

    def share_out() -> None:
        for run in under_way:
            run.allow_uncommitted(UNCOMMITTED_MAX // len(under_way))

    async def run_one(run: AsyncioRun) -> None:
        await run.run()
        under_way.remove(run)
        share_out()

    share_out()
    tasks = [asyncio.create_task(run_one(run)) for run in runs]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
