"""The journal keeps the last notifications, finds them, and tells who waits that they came."""

import asyncio
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.bell import LISTENERS_MAX
from simulator.bounds import BoundReachedError
from simulator.control.waiting import wait_for
from simulator.journal import ENTRIES_MAX, Arrivals, Entry, Journal, Row, Wanted
from tests.control.control_server import row


def record(journal: Journal, *rows: Row) -> None:
    for each in rows:
        journal.append(each)
    journal.settle(len(rows))


EVERYTHING = Wanted()


def found_tokens(journal: Journal, wanted: Wanted = EVERYTHING, limit: int = 100) -> list[bytes]:
    return [numbered.entry.token for numbered in journal.search(wanted, limit, newest_first=False).entries]


def count_now(arrivals: Arrivals) -> int:
    for _ in arrivals.count_steps():
        pass
    return arrivals.matched


@given(st.integers(0, 5), st.lists(st.one_of(st.integers(0, 4), st.none())))
def test_the_ring_holds_the_newest_and_counts_what_it_dropped(capacity: int, batches: list[int | None]) -> None:
    journal = Journal(capacity)
    model: deque[bytes] = deque(maxlen=capacity)
    total = number = 0
    for batch in batches:
        if batch is None:
            journal.clear()
            model.clear()
            total = 0
        else:
            tokens = [b"%02x" % (number + nth) for nth in range(batch)]
            record(journal, *(row(token=token) for token in tokens))
            model.extend(tokens)
            total += batch
            number += batch
    assert (journal.total, journal.held, journal.dropped) == (total, len(model), total - len(model))
    assert found_tokens(journal) == list(model)
    assert journal.number == number


VALID = row(5_000, 410, "Unregistered", b"ab12", b"D917CA4B", b"com.example.app")
FITTING = Wanted(b"AB12", b"com.example.app", 410, "Unregistered", b"d917ca4b", 5_000, 5_001)


def test_an_entry_fits_when_every_part_fits() -> None:
    assert FITTING.fits(VALID)
    assert Wanted().fits(VALID)


@pytest.mark.parametrize(
    "spoiled",
    [
        Wanted(token=b"ab13"),
        Wanted(topic=b"com.example"),
        Wanted(status=200),
        Wanted(reason="BadTopic"),
        Wanted(message_id=b"D917CA4C"),
        Wanted(since_ms=5_001),
        Wanted(until_ms=5_000),
    ],
)
def test_an_entry_does_not_fit_when_one_part_does_not(spoiled: Wanted) -> None:
    assert not spoiled.fits(VALID)


def test_a_search_gives_the_newest_or_the_oldest_first_up_to_its_limit_and_counts_all() -> None:
    journal = Journal(10)
    record(journal, *(row(token=b"%02x" % each, status=200 + each % 2) for each in range(9)))
    newest = journal.search(Wanted(status=200), 2)
    oldest = journal.search(Wanted(status=200), 2, newest_first=False)
    assert newest.matched == oldest.matched == 5
    assert [(each.number, each.entry.token) for each in newest.entries] == [(9, b"08"), (7, b"06")]
    assert [(each.number, each.entry.token) for each in oldest.entries] == [(1, b"00"), (3, b"02")]
    assert isinstance(newest.entries[0].entry, Entry)


def test_reading_on_after_a_number_meets_every_entry_once() -> None:
    journal = Journal(50)
    record(journal, *(row(token=b"%02x" % each) for each in range(45)))
    met: list[bytes] = []
    after = 0
    while entries := journal.search(Wanted(), 10, newest_first=False, after_number=after).entries:
        met += [each.entry.token for each in entries]
        after = entries[-1].number
    assert met == [b"%02x" % each for each in range(45)]


def test_numbers_go_on_over_a_clear() -> None:
    journal = Journal(4)
    record(journal, row(), row())
    journal.clear()
    record(journal, row(token=b"ff"))
    (numbered,) = journal.search(Wanted(token=b"ff"), 9).entries
    assert (numbered.number, journal.total) == (3, 1)


def test_clearing_forgets_at_its_first_step_what_is_then_freed_and_nothing_newer() -> None:
    journal = Journal(10_000)
    record(journal, *(row() for _ in range(5_000)))
    steps = journal.clear_steps()
    next(steps)
    assert (journal.held, found_tokens(journal)) == (0, [])
    record(journal, row(token=b"ff"))
    list(steps)
    assert (journal.held, found_tokens(journal)) == (1, [b"ff"])


def test_a_search_among_many_takes_many_steps() -> None:
    journal = Journal(2_000)
    record(journal, *(row() for _ in range(2_000)))
    assert sum(1 for _ in journal.search_steps(Wanted(status=200), 1)) >= 8


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(status=200)])
@pytest.mark.parametrize("newest_first", [True, False])
def test_a_search_ends_at_the_number_that_it_is_told(wanted: Wanted, newest_first: bool) -> None:
    journal = Journal(4)
    record(journal, *(row() for _ in range(6)))  # held are 3 to 6
    for until in range(8):
        steps = journal.search_steps(wanted, 9, newest_first=newest_first, after_number=3, until_number=until)
        with pytest.raises(StopIteration) as done:
            while True:
                next(steps)
        numbers = [each.number for each in done.value.value.entries]
        assert sorted(numbers) == list(range(4, min(until, 6) + 1))


def test_entries_between_two_numbers_are_counted_and_those_missed() -> None:
    journal = Journal(4)
    record(journal, *(row(status=status) for status in (200, 200, 410, 200, 410, 200)))

    def counted(after: int, until: int) -> tuple[int, int]:
        steps = journal.count_steps(Wanted(status=200), after, until)
        with pytest.raises(StopIteration) as done:
            while True:
                next(steps)
        matched, missed = done.value.value
        return matched, missed

    assert counted(0, 6) == (2, 2)
    assert counted(2, 5) == (1, 0)
    assert counted(5, 6) == (1, 0)
    assert counted(0, 1) == (0, 1)
    assert counted(6, 6) == (0, 0)


@pytest.mark.parametrize("entries_max", [-1, ENTRIES_MAX + 1])
def test_a_ring_out_of_range_is_refused(entries_max: int) -> None:
    with pytest.raises(ValueError, match=str(ENTRIES_MAX)):
        Journal(entries_max)


def test_arrivals_count_each_entry_once_and_tell_what_the_ring_dropped_unseen() -> None:
    journal = Journal(4)
    record(journal, row(status=410), row(status=200))
    arrivals = Arrivals(journal, Wanted(status=410))
    assert count_now(arrivals) == 1
    record(journal, row(status=410))
    assert (count_now(arrivals), count_now(arrivals), arrivals.missed) == (2, 2, 0)
    record(journal, *(row(status=410) for _ in range(6)))
    assert (count_now(arrivals), arrivals.missed) == (6, 2)


def test_arrivals_of_everything_count_what_the_ring_dropped_too() -> None:
    journal = Journal(2)
    record(journal, *(row() for _ in range(5)))
    arrivals = Arrivals(journal, Wanted())
    assert (count_now(arrivals), arrivals.missed) == (5, 0)


def test_listeners_are_called_once_for_each_read_and_are_bounded() -> None:
    journal = Journal(4)
    calls: list[int] = []
    listeners = [lambda nth=nth: calls.append(nth) for nth in range(LISTENERS_MAX)]
    for listener in listeners:
        journal.listen(listener)
    with pytest.raises(BoundReachedError, match="LISTENERS_MAX"):
        journal.listen(lambda: None)
    record(journal, row(), row())
    assert calls == list(range(LISTENERS_MAX))
    for listener in listeners:
        journal.unlisten(listener)
    record(journal, row())
    assert len(calls) == LISTENERS_MAX


def test_a_wait_ends_when_the_last_of_the_awaited_entries_comes() -> None:
    async def scenario() -> int:
        journal = Journal(100)
        record(journal, row(status=410))
        waiting = asyncio.ensure_future(wait_for(journal, Wanted(status=410), 3, timeout_s=10))
        await asyncio.sleep(0)
        record(journal, row(status=200), row(status=410))
        record(journal, row(status=410))
        return await waiting

    assert asyncio.run(asyncio.wait_for(scenario(), 5)) == 3


def test_a_wait_ends_with_fewer_when_it_is_given_up_and_leaves_no_listener_behind() -> None:
    async def scenario() -> tuple[int, int]:
        journal = Journal(100)
        gone = asyncio.Event()
        waiting = asyncio.ensure_future(wait_for(journal, Wanted(), 3, 10, gone.wait))
        await asyncio.sleep(0)
        record(journal, row())
        gone.set()
        matched = await waiting
        return matched, len(journal._listeners)

    matched, listeners = asyncio.run(asyncio.wait_for(scenario(), 5))
    assert (matched <= 1, listeners) == (True, 0)


def test_a_wait_that_finds_enough_does_not_wait() -> None:
    journal = Journal(100)
    record(journal, row())
    assert asyncio.run(wait_for(journal, Wanted(), 1, timeout_s=10)) == 1
    assert asyncio.run(wait_for(journal, Wanted(), 2, timeout_s=0)) == 1
