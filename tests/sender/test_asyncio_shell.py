"""An error of our own ends a run and is raised: without that nobody would notice, and nothing would end the run."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from sender.asyncio_shell import BATCH_MAX, AsyncioRun, _LaneProtocol
from sender.pool import Endpoint, PoolOptions
from sender.store.records import Exchange, Outcome, State
from tests.sender.scripted_provider import delivery, due

TIMEOUT_S = 20
NOWHERE = Endpoint("127.0.0.1", 1, False)


class OneNotification:
    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        return Exchange([due(1)], None, False)


class NoExchange:
    def exchange(self, outcomes: Sequence[Outcome], want: int, now_ms: int) -> Exchange:
        return None  # type: ignore[return-value]  # the defect


def break_down() -> None:
    raise LookupError("a defect")


def run_of(source: OneNotification | NoExchange, on_progress: Callable[[], None]) -> AsyncioRun:
    pool = PoolOptions(connections=1)
    return AsyncioRun(delivery(), source, NOWHERE, None, pool, draw=lambda: 0.5, on_progress=on_progress)


@pytest.mark.parametrize(
    ("source", "on_progress", "error"),
    [(OneNotification(), break_down, LookupError), (NoExchange(), lambda: None, AttributeError)],
    ids=["in a task", "after an exchange"],
)
def test_an_error_of_our_own_is_raised(
    source: OneNotification | NoExchange, on_progress: Callable[[], None], error: type[Exception]
) -> None:
    with pytest.raises(error):
        asyncio.run(asyncio.wait_for(run_of(source, on_progress).run(), TIMEOUT_S))


class ToldWhenAsked(ThreadPoolExecutor):
    """A thread of a store that only notes what it is asked for."""

    def __init__(self, happened: list[str]) -> None:
        super().__init__(max_workers=1)
        self.happened = happened

    def submit(self, *asked: object, **options: object) -> Future[Exchange]:  # type: ignore[override]
        self.happened.append("exchange")
        return Future()


def test_the_store_works_while_the_lanes_are_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    with ToldWhenAsked(happened) as store_thread:
        run = AsyncioRun(
            delivery(), NoExchange(), NOWHERE, None, PoolOptions(), draw=lambda: 0.5, store_thread=store_thread
        )
        monkeypatch.setattr(run, "pump", lambda protocol, now_s: happened.append("fill"))
        asyncio.run(after_an_exchange(run))
    assert happened == ["exchange", "fill"]


async def after_an_exchange(run: AsyncioRun) -> None:
    """As many results have come meanwhile as are worth another one."""
    run.loop, run._work_came = asyncio.get_running_loop(), asyncio.Event()
    run.protocols.append(_LaneProtocol(run))
    run.delivery.add([due(number) for number in range(BATCH_MAX)])
    run.delivery.ready.clear()
    run.delivery.outcomes += [Outcome(each, State.ACCEPTED, 200, "", 1, 0, 0, 0) for each in range(BATCH_MAX)]
    run._take(Exchange([due(BATCH_MAX)], None, False))
