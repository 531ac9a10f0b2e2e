"""What the front and a worker say to each other: messages over a Unix socketpair, asked and answered or only told.

Both ends are a `Link`, and either may begin. A message is a length of four bytes and a MessagePack array. They arrive in the
order in which they were sent, and their handlers begin in that order.

Nobody waits for room: what the other end has not read is kept, up to `CHANNEL_BYTES_MAX`. Beyond, the channel ends, and with it
the worker: one that reads nothing for so long is taken for dead, and the front puts another in its place.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Final

import msgspec

MESSAGE_BYTES_MAX: Final = 16 << 20
CHANNEL_BYTES_MAX: Final = 32 << 20
"""What one end has written and the other has not read yet."""
ASK_TIMEOUT_S: Final = 10.0
_LENGTH_BYTES: Final = 4

Answer = bytes | None  # None: b"", for handlers that have nothing to say
Handler = Callable[[bytes], Answer | Awaitable[Answer]]

_log = logging.getLogger("pushrig.workers")


class ChannelError(Exception):
    """A question that was not answered: the channel has ended (`ChannelEnded`), or its handler failed (`HandlerFailed`)."""


class ChannelEnded(ChannelError):  # noqa: N818 - it says what has happened
    """There is nobody at the other end."""


class HandlerFailed(ChannelError):  # noqa: N818
    """The other end's handler raised an exception, whose traceback is in the log of its process."""


class _Message(msgspec.Struct, array_like=True, frozen=True):
    """`kind`: of a question or what is told; of an answer "" for a good one, else `_FAILED`. `question`: 0: none is asked."""

    kind: str
    question: int
    body: bytes
    answers: bool = False


_FAILED: Final = "failed"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Message).decode


class Link(asyncio.Protocol):
    """One end of a channel. Make it with `open_link`.

    `handlers`: what is done about a message of each kind; to be complete before messages come. A plain function is done before
    the next message is looked at. Coroutines begin in the order of arrival and go on beside each other: those that must not
    overlap take an `asyncio.Lock`, which keeps the order. `ended`: called once when the channel has ended.
    """

    def __init__(self, handlers: dict[str, Handler], ended: Callable[[], None]) -> None:
        self.handlers = handlers
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def alive(self) -> bool:
        """Messages can be sent; they need not arrive."""
        return self._transport is not None and not self._transport.is_closing()

    def tell(self, kind: str, body: bytes = b"") -> None:
        """Send a message that asks for no answer. An ended channel takes it nowhere. Raises ValueError for a body too long."""
        self._send(_Message(kind, 0, body))

    def ask(self, kind: str, body: bytes = b"", timeout_s: float = ASK_TIMEOUT_S) -> Coroutine[None, None, bytes]:
        """Send a message at once; what is returned waits for its answer, and has to be awaited.

        That raises ChannelEnded, HandlerFailed, TimeoutError; this call ValueError for a body too long.
        """
        number = next(self._numbers)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if self.alive:
            self._send(_Message(kind, number, body))
            self._asked[number] = answer
        else:
            answer.set_exception(ChannelEnded(f"nobody is there to answer {kind!r}"))
        return self._wait(number, answer, timeout_s)

    async def _wait(self, number: int, answer: asyncio.Future[bytes], timeout_s: float) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                body: bytes = await answer
                return body
        finally:
            self._asked.pop(number, None)

    def end(self) -> None:
        """End the channel at once, whatever is on its way."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self, message: _Message) -> None:
        if len(message.body) > MESSAGE_BYTES_MAX:
            raise ValueError(f"{message.kind}: {len(message.body):,} bytes are more than {MESSAGE_BYTES_MAX:,}")
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        data = _encode(message)
        transport.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
        if transport.get_write_buffer_size() > CHANNEL_BYTES_MAX:
            _log.error("the other end of a channel reads nothing: over %d bytes wait for it", CHANNEL_BYTES_MAX)
            transport.abort()

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        at = 0
        while len(received) - at >= _LENGTH_BYTES:
            start = at + _LENGTH_BYTES
            end = start + int.from_bytes(received[at:start], "big")
            if len(received) < end:
                break
            self._take(_decode(bytes(received[start:end])))
            at = end
        del received[:at]

    def _take(self, message: _Message) -> None:
        if message.answers:
            answer = self._asked.get(message.question)
            if answer is None or answer.done():
                return  # too late
            if message.kind == _FAILED:
                answer.set_exception(HandlerFailed(message.body.decode()))
            else:
                answer.set_result(message.body)
            return
        try:
            done = self.handlers[message.kind](message.body)
        except Exception as error:
            self._failed(message, error)
            return
        if isinstance(done, bytes | None):
            self._answer(message, done)
            return
        task = asyncio.ensure_future(self._finish(message, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, message: _Message, doing: Awaitable[Answer]) -> None:
        try:
            self._answer(message, await doing)
        except Exception as error:
            self._failed(message, error)

    def _answer(self, message: _Message, body: Answer) -> None:
        if message.question:
            self._send(_Message("", message.question, body or b"", answers=True))

    def _failed(self, message: _Message, error: Exception) -> None:
        _log.error("a message of kind %r failed", message.kind, exc_info=error)
        if message.question:
            text = f"{message.kind}: {type(error).__name__}: {error}"
            self._send(_Message(_FAILED, message.question, text.encode("utf-8", "replace")[:1_000], answers=True))

    def connection_lost(self, exc: Exception | None) -> None:
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ChannelEnded("the other end has gone"))
        for task in self._tasks:
            task.cancel()
        self._ended()


def _nothing() -> None:
    pass


async def open_link(end: socket.socket, handlers: dict[str, Handler], ended: Callable[[], None] = _nothing) -> Link:
    """Begin to read and write one end of a connected pair of stream sockets, which is taken over."""
    link = Link(handlers, ended)
    end.setblocking(False)
    with contextlib.suppress(OSError):  # larger than usual, for long answers in one go
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    await asyncio.get_running_loop().connect_accepted_socket(lambda: link, end)
    return link
