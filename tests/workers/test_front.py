"""The front starts its workers, talks to them, and replaces those that end, with the state that it has by then."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine
from pathlib import Path
from typing import Any

import pytest

from simulator.counters import Counters
from simulator.errors import ConfigurationError
from simulator.workers import front as front_module
from simulator.workers.channel import Handler, open_link
from simulator.workers.fork import fork_worker
from simulator.workers.front import (
    READY_KIND,
    REPLACEMENT_WAIT_S_MAX,
    SHORT_LIVES_MAX,
    STOP_KIND,
    Seat,
    Workers,
    wait_before_replacement_s,
)
from simulator.workers.hand_over import GoneCounts, Spread

TIMEOUT_S = 20.0
STATE = {"said": "at first"}


async def work(seat: Seat) -> None:
    """A worker that does little: it tells what it has, and dies when it is told to."""
    stopping = asyncio.Event()

    def die(body: bytes) -> None:
        os._exit(int(body))

    def files(body: bytes) -> bytes:
        links = [each.readlink() for each in Path("/dev/fd").iterdir() if each.exists()]
        kinds = [str(link).partition(":")[0] for link in links if link != Path(os.devnull)]
        return json.dumps(kinds).encode()

    handlers: dict[str, Handler] = {
        STOP_KIND: lambda body: stopping.set(),
        "state": lambda body: STATE["said"].encode(),
        "number": lambda body: b"%d" % seat.number,
        "die": die,
        "files": files,
        "send SIGINT": lambda body: os.kill(os.getpid(), signal.SIGINT),
        "hang": lambda body: signal.pause(),
        "pass on": lambda body: front.tell("heard", body),
    }
    front = await open_link(seat.channel, handlers, stopping.set)
    front.tell(READY_KIND)
    await stopping.wait()


async def die_at_once(seat: Seat) -> None:
    os._exit(3)


async def never_ready(seat: Seat) -> None:
    await asyncio.Event().wait()


Run = Callable[[Seat], Coroutine[Any, Any, None]]


class Scene:
    def __init__(self, count: int, run: Run) -> None:
        self.spread = Spread(GoneCounts(count), 10, Counters())
        self.now_s = 0.0
        self.stopping = asyncio.Event()
        self.workers = Workers(count, run, self.spread, monotonic_s=lambda: self.now_s, stopping=self.stopping)
        self.told: list[str] = []
        self._news = asyncio.Condition()
        self.workers.handlers["heard"] = lambda number, body: self.tell(f"{number} {body.decode()}")
        self.pids: list[int] = []
        self.workers.came.append(self._came)
        self.workers.ended.append(lambda number: self.tell(f"ended {number}"))

    def _came(self, number: int) -> None:
        pid = self.workers.states[number].pid
        assert pid is not None
        self.pids.append(pid)
        self.tell(f"came {number}")

    def tell(self, news: str) -> None:
        self.told.append(news)
        asyncio.ensure_future(self._notify())  # noqa: RUF006 - it ends at once

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until(self, news: str, times: int = 1) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self.told.count(news) >= times)

    async def ask(self, number: int, kind: str, body: bytes = b"") -> bytes:
        return await self.workers.links[number].ask(kind, body)

    async def ask_all(self, kind: str) -> list[bytes]:
        return await asyncio.gather(*(link.ask(kind) for link in self.workers.links.values()))

    def kill(self, number: int) -> None:
        pid = self.workers.states[number].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)


def play(scene: Callable[[Scene], Awaitable[None]], count: int = 2, run: Run = work) -> None:
    async def act() -> None:
        stage = Scene(count, run)
        async with asyncio.timeout(TIMEOUT_S):
            try:
                await stage.workers.start()
                await scene(stage)
            finally:
                await stage.workers.stop()
        assert [state.pid for state in stage.workers.states] == [None] * count
        for pid in stage.pids:
            with pytest.raises(ChildProcessError):  # none is left over
                os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222 - it does not block

    asyncio.run(act())


def test_all_workers_are_asked_and_told() -> None:
    async def scene(stage: Scene) -> None:
        stage.workers.tell_all("pass on", b"to all")
        assert sorted(await stage.ask_all("number")) == [b"0", b"1", b"2"]
        stage.workers.tell_all("pass on", b"to some", but=1)
        await stage.ask_all("number")
        assert sorted(stage.told[3:]) == ["0 to all", "0 to some", "1 to all", "2 to all", "2 to some"]
        assert sorted(stage.told[:3]) == ["came 0", "came 1", "came 2"]
        assert stage.workers.trouble is None

    play(scene, count=3)


def test_a_killed_worker_is_replaced_by_one_with_the_present_state(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(stage: Scene) -> None:
        assert await stage.ask(1, "state") == b"at first"
        monkeypatch.setitem(STATE, "said", "later")
        stage.kill(1)
        await stage.until("came 1", 2)
        assert stage.told[2:] == ["ended 1", "came 1"]
        assert await stage.ask(1, "state") == b"later"
        assert await stage.ask(0, "state") == b"at first"
        assert [state.restarts for state in stage.workers.states] == [0, 1]
        stage.workers.replace(0, "it sulks")
        assert "worker 1 is killed: it sulks" in caplog.text
        await stage.until("came 0", 2)
        assert await stage.ask(0, "state") == b"later"

    play(scene)


def test_no_worker_is_forked_while_the_state_is_being_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(stage: Scene) -> None:
        async with stage.workers.writing:
            stage.kill(1)
            await stage.until("ended 1")
            for _ in range(10):
                await asyncio.sleep(0)
            assert stage.workers.states[1].pid is None
            monkeypatch.setitem(STATE, "said", "once the change was made")
        await stage.until("came 1", 2)
        assert await stage.ask(1, "state") == b"once the change was made"

    play(scene)


def test_a_worker_has_none_of_the_fronts_files_and_its_own_two_sockets() -> None:
    async def scene(stage: Scene) -> None:
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))):
            stage.kill(0)  # the next one is forked while there are more files
            await stage.until("came 0", 2)
            kinds = json.loads(await stage.ask(0, "files"))
        # Its two ends, and two of its event loop beside the selector; stderr is the one file.
        assert kinds.count("socket") == 4
        assert "anon_inode" in kinds
        assert len(kinds) <= 7

    play(scene)


def test_no_thread_is_under_way_when_a_worker_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.active_count()
    threads: list[int] = []

    def fork(run: Callable[[], Coroutine[Any, Any, None]], kept: Collection[int]) -> int:
        threads.append(threading.active_count() - begun)
        return fork_worker(run, kept)

    monkeypatch.setattr(front_module, "fork_worker", fork)

    async def scene(stage: Scene) -> None:
        assert await asyncio.to_thread(threading.active_count) == begun + 1
        stage.kill(0)
        await stage.until("came 0", 2)
        assert await asyncio.to_thread(lambda: "threads can be had again") is not None

    play(scene)
    assert threads == [0, 0, 0]


def test_a_worker_leaves_ctrl_c_to_the_front() -> None:
    async def scene(stage: Scene) -> None:
        assert await stage.ask(0, "send SIGINT") == b""
        assert await stage.ask(0, "number") == b"0"

    play(scene)


def test_a_worker_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "STOP_MAX_S", 0.05)

    async def scene(stage: Scene) -> None:
        assert await stage.ask(0, "number") == b"0"
        stage.workers.links[0].tell("hang")

    play(scene)


def test_a_worker_that_ends_again_and_again_is_trouble_until_it_has_lived_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(front_module, "wait_before_replacement_s", lambda short_lives: 0.0)

    async def scene(stage: Scene) -> None:
        for times in range(2, SHORT_LIVES_MAX + 2):
            assert stage.workers.trouble is None
            stage.workers.links[0].tell("die", b"7")
            await stage.until("came 0", times)
        trouble = f"worker 1 has ended soon after its start {SHORT_LIVES_MAX} times in a row; stderr says how"
        assert stage.workers.trouble == trouble
        assert "worker 1 ended with exit code 7; another takes its place" in caplog.text
        stage.now_s += front_module.LONG_LIFE_S - 0.1
        assert stage.workers.trouble == trouble
        stage.now_s += 0.1
        assert stage.workers.trouble is None
        stage.kill(0)
        await stage.until("came 0", SHORT_LIVES_MAX + 2)
        assert stage.workers.trouble is None
        assert "worker 1 was killed by signal 9" in caplog.text

    play(scene)


def test_a_worker_that_ends_when_all_is_to_end_is_missed_by_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(stage: Scene) -> None:
        stage.stopping.set()  # as by a signal that a whole process group gets
        stage.kill(0)
        await stage.until("ended 0")

    play(scene)
    assert caplog.text == ""


def test_workers_that_are_to_end_before_they_have_begun_do_so() -> None:
    async def act() -> None:
        stage = Scene(2, work)
        stage.stopping.set()
        async with asyncio.timeout(TIMEOUT_S):
            await stage.workers.start()
            await stage.workers.stop()

    asyncio.run(act())


def test_a_worker_that_is_just_being_forked_is_stopped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "STOP_MAX_S", 2 * TIMEOUT_S)

    async def scene(stage: Scene) -> None:
        async with stage.workers.writing:
            stage.kill(0)
            await stage.until("ended 0")
            for _ in range(10):  # until the next one waits to be forked
                await asyncio.sleep(0)
            stopping = asyncio.ensure_future(stage.workers.stop())
            await asyncio.sleep(0)
        await stopping

    play(scene)


def test_it_is_said_when_the_place_of_one_that_ends_again_and_again_is_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(front_module, "wait_before_replacement_s", lambda short_lives: 0.2 * (short_lives - 1))

    async def scene(stage: Scene) -> None:
        for times in (2, 3):
            stage.kill(0)
            await stage.until("came 0", times)

    play(scene)
    assert [each.getMessage().partition("; ")[2] for each in caplog.records] == [
        "another takes its place",
        "another takes its place in 0.2 s",
    ]


def test_replacing_begins_at_once_and_waits_longer_up_to_a_bound() -> None:
    waits_s = [wait_before_replacement_s(short_lives) for short_lives in range(12)]
    assert waits_s[:5] == [0, 0, 0.1, 0.2, 0.4]
    assert waits_s == sorted(waits_s)
    assert waits_s[-1] == REPLACEMENT_WAIT_S_MAX


def test_workers_that_cannot_begin_are_an_error_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "wait_before_replacement_s", lambda short_lives: 0.0)

    async def scene(stage: Scene) -> None:
        raise AssertionError

    with pytest.raises(ConfigurationError, match=r"--workers: worker \d ended with exit code 3, 5 times in a row"):
        play(scene, run=die_at_once)


@pytest.mark.parametrize("error", [OSError(11, "no more processes"), RuntimeError("a defect")])
def test_workers_that_cannot_be_forked_are_an_error_of_the_start(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork(run: Callable[[], Coroutine[Any, Any, None]], kept: Collection[int]) -> int:
        raise error

    monkeypatch.setattr(front_module, "fork_worker", fork)
    monkeypatch.setattr(front_module, "wait_before_replacement_s", lambda short_lives: 0.0)

    async def scene(stage: Scene) -> None:
        raise AssertionError

    with pytest.raises(ConfigurationError, match=rf"could not be started \(.*{error.args[-1]}\), 5 times in a row"):
        play(scene)


def test_a_worker_that_does_not_get_ready_is_taken_for_one_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "wait_before_replacement_s", lambda short_lives: 0.0)
    monkeypatch.setattr(front_module, "READY_TIMEOUT_S", 0.01)

    async def scene(stage: Scene) -> None:
        raise AssertionError

    with pytest.raises(ConfigurationError, match="was killed by signal 9, 5 times in a row"):
        play(scene, count=1, run=never_ready)
