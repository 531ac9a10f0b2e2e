"""Waiting until notifications have come, at no cost to those that come.

The journal tells once per read that something came; a waiter then counts what is new, at most every few milliseconds,
so that a stream of notifications does not wake it for each.
"""

import asyncio
from collections.abc import Awaitable, Callable

from simulator.bell import Bell
from simulator.control.slices import in_slices
from simulator.journal import Arrivals, Journal, Wanted

COUNT_INTERVAL_S = 0.003  # well below the time in which a busy ring of 10,000 turns over


async def wait_for(
    journal: Journal,
    wanted: Wanted,
    count: int,
    timeout_s: float,
    given_up: Callable[[], Awaitable[object]] | None = None,
) -> int:
    """Wait until `count` entries that fit have come, those already held included; returns how many fit so far.

    Returns early, with fewer, after `timeout_s` or once `given_up` returns (nobody waits any more). Raises
    `BoundReachedError` when too many wait.
    """
    arrivals = Arrivals(journal, wanted)
    return await wait_until(lambda: in_slices(arrivals.count_steps()), count, timeout_s, journal, given_up)


async def wait_until(
    count_now: Callable[[], Awaitable[int]],
    count: int,
    timeout_s: float,
    bell: Bell,
    given_up: Callable[[], Awaitable[object]] | None,
) -> int:
    """Wait until `count_now` returns `count` or more, asked again each time that the bell has rung; else as `wait_for`."""
    counted = _Counted(count_now)
    if await counted.again() >= count or timeout_s <= 0:
        return counted.newest
    came = asyncio.Event()
    bell.listen(came.set)
    try:
        counting = asyncio.ensure_future(_count(counted, count, came))
        leaving = None if given_up is None else asyncio.ensure_future(given_up())
        tasks = {counting} if leaving is None else {counting, leaving}
        try:
            await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not counting.cancelled():
            counting.result()  # raises what went wrong
    finally:
        bell.unlisten(came.set)
    return counted.newest


class _Counted:
    """What was counted last, also where a count was broken off."""

    def __init__(self, count_now: Callable[[], Awaitable[int]]) -> None:
        self._count_now = count_now
        self.newest = 0

    async def again(self) -> int:
        self.newest = await self._count_now()
        return self.newest


async def _count(counted: _Counted, count: int, came: asyncio.Event) -> None:
    while await counted.again() < count:
        await came.wait()
        await asyncio.sleep(COUNT_INTERVAL_S)
        came.clear()
