"""Waiting until notifications have come, at no cost to those that come.

The journal tells once per read that something came; a waiter then counts what is new, at most every few milliseconds,
so that a stream of notifications does not wake it for each.
"""

import asyncio
from collections.abc import Awaitable, Callable

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
    if await in_slices(arrivals.count_steps()) >= count or timeout_s <= 0:
        return arrivals.matched
    came = asyncio.Event()
    journal.listen(came.set)
    try:
        counting = asyncio.ensure_future(_count(arrivals, count, came))
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
        journal.unlisten(came.set)
    return arrivals.matched


async def _count(arrivals: Arrivals, count: int, came: asyncio.Event) -> None:
    while await in_slices(arrivals.count_steps()) < count:
        await came.wait()
        await asyncio.sleep(COUNT_INTERVAL_S)
        came.clear()
