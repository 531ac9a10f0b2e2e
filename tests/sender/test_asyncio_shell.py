"""An error of our own ends a run and is raised: without that nobody would notice, and nothing would end the run."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from sender.asyncio_shell import AsyncioRun
from sender.pool import Endpoint, PoolOptions
from sender.store.records import Exchange, Outcome
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
