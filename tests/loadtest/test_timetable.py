"""The timetable of an open loop: every batch once, in the order of instants, whatever was added in between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.arrivals import Arrival
from loadtest.timetable import Timetable

INSTANTS = st.lists(st.integers(0, 20), max_size=20)


@given(INSTANTS, INSTANTS)
def test_batches_come_in_order_those_added_before_later_ones(fresh: list[int], added: list[int]) -> None:
    planned = [Arrival(at_s, n, n + 1) for n, at_s in enumerate(sorted(fresh))]
    back = [Arrival(at_s, 100 + n, 101 + n) for n, at_s in enumerate(added)]
    timetable = Timetable(planned)
    timetable.add(back)
    taken = []
    while not timetable.exhausted:
        assert timetable.head is not None
        taken.append(timetable.pop())
    assert timetable.head is None
    assert sorted(taken) == sorted(planned + back)
    assert [batch.at_s for batch in taken] == sorted(fresh + added)


def test_what_was_added_and_not_taken_can_be_taken_away_at_once() -> None:
    timetable = Timetable([Arrival(1.0, 0, 1)], open_end=True)
    timetable.add([Arrival(3.0, 5, 6), Arrival(2.0, 4, 5)])
    assert timetable.take_added() == [Arrival(2.0, 4, 5), Arrival(3.0, 5, 6)]
    assert timetable.pop() == Arrival(1.0, 0, 1)
    assert not timetable.exhausted
    with pytest.raises(IndexError, match="no batch to take"):
        timetable.pop()
