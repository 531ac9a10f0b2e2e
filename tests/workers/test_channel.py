"""The channel between front and worker: order, answers, failures, bounds."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from simulator.workers import channel
from simulator.workers.channel import ChannelEnded, Handler, HandlerFailed, Link, open_link

TIMEOUT_S = 10.0


def talk(
    scene: Callable[[Link, Link], Awaitable[None]],
    there: dict[str, Handler] | None = None,
    here: dict[str, Handler] | None = None,
    ended: Callable[[], None] = lambda: None,
) -> None:
    """Play a scene between two ends of a channel. `ended`: of the end here."""

    async def play() -> None:
        one, other = socket.socketpair()
        ours, theirs = await open_link(one, here or {}, ended), await open_link(other, there or {})
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await scene(ours, theirs)
        finally:
            ours.end()
            theirs.end()

    asyncio.run(play())


def test_a_question_is_answered_by_the_handler_of_its_kind_in_either_direction() -> None:
    async def scene(ours: Link, theirs: Link) -> None:
        assert await ours.ask("double", b"ab") == b"abab"
        assert await theirs.ask("upper", b"ab") == b"AB"
        assert await ours.ask("nothing") == b""

    async def double(body: bytes) -> bytes:
        await asyncio.sleep(0)
        return body * 2

    talk(scene, there={"double": double, "nothing": lambda body: None}, here={"upper": lambda body: body.upper()})


def test_what_is_told_arrives_in_order_before_what_is_asked_later() -> None:
    told: list[bytes] = []

    async def scene(ours: Link, theirs: Link) -> None:
        for number in range(1_000):
            ours.tell("note", str(number).encode())
        counted = ours.ask("count")
        ours.tell("note", b"later")
        assert await counted == b"1000"
        assert told[:1_000] == [str(number).encode() for number in range(1_000)]

    def note(body: bytes) -> None:
        told.append(body)

    talk(scene, there={"note": note, "count": lambda body: str(len(told)).encode()})


def test_coroutines_begin_in_the_order_of_arrival_and_a_slow_one_keeps_nobody_waiting() -> None:
    begun: list[bytes] = []
    let_go = asyncio.Event()

    async def slow(body: bytes) -> bytes:
        begun.append(body)
        await let_go.wait()
        return body

    async def scene(ours: Link, theirs: Link) -> None:
        asked = [asyncio.ensure_future(ours.ask("slow", bytes([n]))) for n in range(5)]
        assert await ours.ask("quick") == b"q"
        assert begun == [bytes([n]) for n in range(5)]
        let_go.set()
        assert await asyncio.gather(*asked) == begun

    talk(scene, there={"slow": slow, "quick": lambda body: b"q"})


def test_a_body_of_many_reads_arrives_whole() -> None:
    body = bytes(range(256)) * 20_000

    async def scene(ours: Link, theirs: Link) -> None:
        assert await ours.ask("echo", body) == body

    talk(scene, there={"echo": lambda body: body})


def test_a_body_beyond_the_bound_is_refused_and_the_channel_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "MESSAGE_BYTES_MAX", 100)

    async def scene(ours: Link, theirs: Link) -> None:
        with pytest.raises(ValueError, match="101 bytes are more than 100"):
            ours.tell("echo", b"x" * 101)
        with pytest.raises(ValueError, match="101 bytes are more than 100"):
            await ours.ask("echo", b"x" * 101)
        assert await ours.ask("echo", b"x" * 100) == b"x" * 100

    talk(scene, there={"echo": lambda body: body})


@pytest.mark.parametrize("coroutine", [False, True])
def test_a_handler_that_fails_fails_the_question_alone(coroutine: bool) -> None:
    def fail(body: bytes) -> bytes:
        raise LookupError("no such thing")

    async def fail_later(body: bytes) -> bytes:
        raise LookupError("no such thing")

    async def scene(ours: Link, theirs: Link) -> None:
        with pytest.raises(HandlerFailed, match="find: LookupError: no such thing"):
            await ours.ask("find")
        with pytest.raises(HandlerFailed, match="KeyError: 'unheard of'"):
            await ours.ask("unheard of")
        ours.tell("find")
        assert await ours.ask("echo", b"e") == b"e"

    talk(scene, there={"find": fail_later if coroutine else fail, "echo": lambda body: body})


def test_the_end_of_one_side_fails_what_the_other_has_asked_and_ends_it_once() -> None:
    ends: list[str] = []
    never = asyncio.Event()

    async def wait(body: bytes) -> None:
        await never.wait()

    async def scene(ours: Link, theirs: Link) -> None:
        asked = asyncio.ensure_future(ours.ask("wait"))
        await ours.ask("echo")
        theirs.end()
        with pytest.raises(ChannelEnded):
            await asked
        assert ends == ["ended"]
        assert not ours.alive
        ours.tell("echo")  # goes nowhere
        with pytest.raises(ChannelEnded):
            await ours.ask("echo")

    talk(scene, there={"wait": wait, "echo": lambda body: body}, ended=lambda: ends.append("ended"))


def test_a_question_does_not_wait_longer_than_its_time_and_its_late_answer_is_nobodys() -> None:
    let_go = asyncio.Event()

    async def slow(body: bytes) -> bytes:
        await let_go.wait()
        return b"late"

    async def scene(ours: Link, theirs: Link) -> None:
        with pytest.raises(TimeoutError):
            await ours.ask("slow", timeout_s=0.001)
        let_go.set()
        assert await ours.ask("echo", b"next") == b"next"
        assert not ours._asked

    talk(scene, there={"slow": slow, "echo": lambda body: body})


def test_an_answer_that_comes_just_as_nobody_waits_any_more_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(ours: Link, theirs: Link) -> None:
        answers: list[bytes] = []
        take = ours.data_received
        monkeypatch.setattr(ours, "data_received", answers.append)
        asking = asyncio.ensure_future(ours.ask("echo", b"one"))
        while not answers:  # noqa: ASYNC110 - it is this loop's own turns that bring it
            await asyncio.sleep(0)
        asking.cancel()
        for answer in answers:
            take(answer)
        monkeypatch.undo()
        assert await ours.ask("echo", b"next") == b"next"
        assert asking.cancelled()

    talk(scene, there={"echo": lambda body: body})


def test_what_was_begun_for_one_who_has_gone_is_given_up() -> None:
    begun, given_up = asyncio.Event(), asyncio.Event()

    async def wait(body: bytes) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    async def scene(ours: Link, theirs: Link) -> None:
        ours.tell("wait")
        await begun.wait()
        ours.end()
        await given_up.wait()

    talk(scene, there={"wait": wait})


def test_an_end_that_reads_nothing_is_given_up_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "CHANNEL_BYTES_MAX", 1 << 20)
    ended = asyncio.Event()

    async def play() -> None:
        one, other = socket.socketpair()
        ours = await open_link(one, {}, ended.set)
        told = 0
        while ours.alive:
            ours.tell("note", bytes(1 << 18))
            told += 1
            assert told < 1_000
        await asyncio.wait_for(ended.wait(), TIMEOUT_S)
        other.close()

    asyncio.run(play())
