"""Long computations on the event loop, a slice at a time, so that notifications go on being answered in between.

Not in a thread: a computing thread takes the interpreter's lock for 5 ms at a time whenever the loop lets go of it, which
it does for every socket call.
"""

import asyncio
import time
from collections.abc import Generator, Iterable
from typing import TypeVar

SLICE_S = 0.001

Result = TypeVar("Result")


async def in_slices(steps: Generator[None, None, Result]) -> Result:
    """Run a computation that yields between its steps; after each millisecond of it the loop has a turn."""
    until_s = time.perf_counter() + SLICE_S
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: Result = done.value
            return result
        if time.perf_counter() >= until_s:
            await asyncio.sleep(0)
            until_s = time.perf_counter() + SLICE_S


async def free_in_slices(freeing: Iterable[None]) -> None:
    """Run what is left of a `Change`: the freeing of memory."""
    await in_slices(each for each in freeing)
