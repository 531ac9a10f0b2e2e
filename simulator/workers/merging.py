"""What several sources found, in one order. Pure."""

import heapq
from collections.abc import Generator, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

_MERGED_A_STEP: Final = 500


class Part(NamedTuple, Generic[Item]):
    """What one source found: numbers and items, in the order that is asked for. `whole`: else there are more behind."""

    numbers: Sequence[int]
    items: Sequence[Item]
    whole: bool


def merged_steps(
    parts: Sequence[Part[Item]], limit: int, *, newest_first: bool = False
) -> Generator[None, None, list[tuple[int, Item]]]:
    """The items of all with their numbers, in order, at most `limit`: as many as come before the first that is left out."""
    last = [part.numbers[-1] for part in parts if part.numbers and not part.whole]
    end = None if not last else max(last) if newest_first else min(last)
    # Numbers differ, so that items are never compared.
    queues = [zip(part.numbers, part.items, strict=True) for part in parts if part.numbers]
    found: list[tuple[int, Item]] = []
    for each in heapq.merge(*queues, reverse=newest_first):
        if len(found) >= limit:
            break
        found.append(each)
        if each[0] == end:
            break
        if len(found) % _MERGED_A_STEP == 0:
            yield
    return found
