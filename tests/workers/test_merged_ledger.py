"""The ledgers of several workers, viewed as one, say what one ledger would say that had counted everything."""

import mmap
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.ledger import OTHER_REASONS, PAGE_INDICES, REASONS_MAX, Ledger, LedgerView, UnknownRoundError
from simulator.workers import arena as arena_module
from simulator.workers.arena import Arena
from simulator.workers.arena_ledger import ArenaLedger
from simulator.workers.marks import ADDED_AT_ONCE_MAX, add_marks
from simulator.workers.merged_ledger import MergedLedger

SEED, OTHER_SEED = 2**64 - 1, 7
SLOTS, ROWS = 24, 16


def workers_of(count: int, slots: int = SLOTS, rows: int = ROWS) -> tuple[MergedLedger, list[ArenaLedger]]:
    merged = MergedLedger([Arena(slots, rows) for _ in range(count)])
    return merged, [merged.of_worker(number) for number in range(count)]


def start_round(merged: MergedLedger, workers: list[ArenaLedger]) -> None:
    for ledger in (merged, *workers):
        ledger.start_round()


answers = st.tuples(
    st.integers(0, 2),
    st.sampled_from([SEED, OTHER_SEED]),
    st.sampled_from([0, 1, 2, PAGE_INDICES - 1, PAGE_INDICES, 5 * PAGE_INDICES + 3]),
    st.sampled_from([None, None, "Unregistered", "BadTopic"]),
)
steps = st.lists(
    st.one_of(answers, st.sampled_from(["round", "reset", "replace 0", "replace 2", "declare"])), max_size=60
)


@given(steps)
def test_several_workers_count_what_one_ledger_would(taken: list[tuple[int, int, int, str | None] | str]) -> None:
    merged, workers = workers_of(3)
    one = Ledger()
    for step in taken:
        match step:
            case "round":
                one.start_round()
                start_round(merged, workers)
            case "reset":
                for ledger in (one, merged, *workers):
                    ledger.reset()
            case "declare":
                one.declare(SEED, PAGE_INDICES + 1, 1)
                merged.declare(SEED, PAGE_INDICES + 1, 1)
            case str():
                number = int(step.removeprefix("replace "))
                workers[number] = merged.of_worker(number)
            case worker, seed, index, None:
                one.accept(seed, index)
                workers[worker].accept(seed, index)
            case worker, seed, index, reason:
                one.reject(seed, index, reason)
                workers[worker].reject(seed, index, reason)
    assert merged.rounds == one.rounds
    assert merged.populations() == one.populations()
    for number in one.rounds:
        assert merged.view(number) == one.view(number)
    for seed in (SEED, OTHER_SEED):
        for index in (0, PAGE_INDICES, 5 * PAGE_INDICES + 3):
            assert merged.mark(seed, index) == one.mark(seed, index)


def test_marks_of_any_number_of_workers_add_up_to_twice_at_most_and_remember_rejections() -> None:
    marks = [0, 1, 2, 4, 5, 6]
    for count in (1, 2, ADDED_AT_ONCE_MAX, ADDED_AT_ONCE_MAX + 1, 3 * ADDED_AT_ONCE_MAX):
        pages = [bytes(islice(cycle(marks[shift % 6 :] + marks[: shift % 6]), PAGE_INDICES)) for shift in range(count)]
        for each in (pages, *([bytes([mark]) * PAGE_INDICES] * count for mark in marks)):
            added = add_marks(each)
            for at in (0, 1, 2, 3, 4, 5, PAGE_INDICES - 1):
                column = [page[at] for page in each]
                accepted, rejected = min(2, sum(mark & 3 for mark in column)), any(mark & 4 for mark in column)
                assert added[at] == accepted + 4 * rejected, (count, at)


def test_what_a_worker_counts_in_a_finished_round_before_it_hears_of_the_new_one_is_in_the_finished_one() -> None:
    merged, (quick, slow) = workers_of(2)
    quick.accept(SEED, 1)
    merged.start_round()
    quick.start_round()
    quick.accept(SEED, 1)
    assert accepted(merged.view(1)) == 1  # and is not kept: the slow one is still at it
    slow.accept(SEED, 2)
    slow.start_round()
    slow.accept(SEED, 3)
    assert accepted(merged.view(1)) == 2
    assert accepted(merged.view()) == 2


def accepted(view: LedgerView) -> int:
    return sum(each.accepted_once for each in view.populations)


def test_two_rounds_that_a_worker_left_late_are_each_summed_up() -> None:
    merged, (quick, slow) = workers_of(2)
    for index in (1, 2):
        quick.accept(SEED, index)
        merged.start_round()
        quick.start_round()
    slow.start_round()
    slow.start_round()
    assert accepted(merged.view(2)) == 1
    assert accepted(merged.view(1)) == 1


def test_a_finished_round_gives_its_slots_and_rows_back_at_its_first_view() -> None:
    merged, workers = workers_of(2, slots=2, rows=2)
    for number in range(1, 6):
        for worker in workers:
            worker.accept(SEED, number)
            worker.reject(SEED, number, "Unregistered")
        start_round(merged, workers)
        view = merged.view(number)
        assert view.untracked == 0
        assert view.populations[0].accepted_more_indices.indices == [number]
        assert view.populations[0].answers_by_reason == {"Unregistered": 2}
        assert merged.view(number) == view


def test_a_reset_gives_all_slots_and_rows_back_and_what_was_viewed_meanwhile_is_not_kept() -> None:
    merged, workers = workers_of(2, slots=1, rows=1)
    for worker in workers:
        worker.reject(SEED, 1, "Unregistered")
    start_round(merged, workers)
    viewing = merged.view_steps(1)
    next(viewing)
    for ledger in (merged, *workers):
        ledger.reset()
    assert set(viewing) == {None}
    with pytest.raises(UnknownRoundError):
        merged.view(2)
    for worker in workers:
        worker.accept(SEED, 2)
        worker.reject(SEED, 2, "BadTopic")
    view = merged.view()
    assert (view.untracked, view.populations[0].accepted_more_indices.indices) == (0, [2])
    assert view.populations[0].answers_by_reason == {"BadTopic": 2}


def test_a_reset_while_slots_are_given_back_costs_no_marks_of_the_new_round() -> None:
    merged, workers = workers_of(2)
    workers[1].accept(SEED, 1)
    start_round(merged, workers)
    viewing = merged.view_steps(1)
    while not isinstance(merged._finished[1], LedgerView):
        next(viewing)
    for ledger in (merged, *workers):
        ledger.reset()
    workers[1].accept(SEED, 2)
    assert set(viewing) <= {None}
    assert accepted(merged.view()) == 1


def test_a_worker_that_has_not_heard_of_a_reset_loses_no_marks_to_the_tidying_of_the_front() -> None:
    merged, (quick, slow) = workers_of(2)
    merged.start_round()
    quick.start_round()
    slow.start_round()
    merged.reset()
    quick.reset()
    merged.start_round()
    quick.start_round()
    slow.accept(SEED, 1)  # in the round that it still believes in
    merged.view(1)
    assert slow.mark(SEED, 1) == (1, False)
    slow.reset()
    slow.accept(SEED, 4)
    slow.start_round()
    assert accepted(merged.view(1)) == 1


def test_answers_that_find_no_page_are_untracked_in_their_round() -> None:
    merged, workers = workers_of(2, slots=1)
    for number in range(1, arena_module.UNTRACKED_KEPT + 2):
        for ledger in workers:
            ledger.accept(SEED, 0)
            ledger.accept(SEED, PAGE_INDICES)
            ledger.reject(SEED, 2 * PAGE_INDICES, "Unregistered")
            assert ledger.untracked == 2
        assert merged.untracked == 4
        assert merged.pages_used == 2
        start_round(merged, workers)
        assert merged.untracked == 0
        view = merged.view(number)
        assert (view.untracked, view.populations[0].accepted_more, view.populations[0].answers_by_reason) == (4, 1, {})
    assert merged._arenas[0].untracked(1) == 0  # so long ago that it is not known any more


@pytest.mark.parametrize("pages_max", [0, 1])
def test_a_worker_takes_no_more_pages_a_round_than_its_bound(pages_max: int) -> None:
    arena = Arena(SLOTS, ROWS)
    ledger = ArenaLedger(arena, 1, 1, [], pages_max)
    for page_number in range(3):
        ledger.accept(SEED, page_number * PAGE_INDICES)
    assert (ledger.pages_used, ledger.untracked) == (pages_max, 3 - pages_max)


def fill_rows(ledger: ArenaLedger) -> None:
    for number in range(ROWS):
        ledger.reject(OTHER_SEED, 0, f"Reason{number}")


def fill_reasons(ledger: ArenaLedger) -> None:
    for number in range(REASONS_MAX):
        ledger.reject(SEED, 0, f"Reason{number}")


def nothing(ledger: ArenaLedger) -> None:
    pass


@pytest.mark.parametrize(
    ("fill", "rows", "reason"),
    [
        (fill_rows, ROWS, "Unregistered"),
        (fill_reasons, REASONS_MAX + 1, "Unregistered"),
        (nothing, ROWS, "R" * (arena_module.REASON_BYTES + 1)),
    ],
)
def test_answers_whose_reason_finds_no_row_count_as_others(
    fill: Callable[[ArenaLedger], None], rows: int, reason: str
) -> None:
    merged, (ledger,) = workers_of(1, rows=rows)
    fill(ledger)
    ledger.reject(SEED, PAGE_INDICES, reason)
    ledger.reject(SEED, 3, reason)
    ledger = merged.of_worker(0)
    ledger.reject(SEED, 3, reason)
    answered = merged.view(seed=SEED).populations[0].answers_by_reason
    assert answered[OTHER_REASONS] == 3
    assert reason not in answered


@pytest.mark.parametrize("memory_goes_back", [True, False])
def test_a_page_that_was_used_before_begins_without_marks(
    memory_goes_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not memory_goes_back:
        monkeypatch.delattr(mmap, "MADV_REMOVE", raising=False)
    merged, workers = workers_of(1, slots=1)
    (ledger,) = workers
    long = "R" * (arena_module.REASON_BYTES + 1)
    for index in (5, 6):
        ledger.accept(SEED, index)
        ledger.reject(SEED, index, "Unregistered")
        ledger.reject(SEED, index, long)
        start_round(merged, workers)
        view = merged.view(merged.round - 1).populations[0]
        assert (view.accepted_once, view.answers_by_reason) == (1, {"Unregistered": 1, OTHER_REASONS: 1})
    for index in (7, 8):
        ledger.accept(SEED, index)
        merged.reset()
        ledger.reset()
    ledger.accept(SEED, 9)
    assert accepted(merged.view()) == 1


@pytest.mark.parametrize("page_bytes", [4_096, 16_384, 65_536])
def test_slots_lie_at_pages_of_memory_as_large_as_the_machines_are(
    page_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else they could not be given back one by one."""
    monkeypatch.setattr(mmap, "PAGESIZE", page_bytes)
    assert Arena(SLOTS, ROWS)._pages_at % page_bytes == 0


def test_a_slot_that_a_killed_worker_had_begun_to_take_holds_nothing() -> None:
    arena = Arena(SLOTS, ROWS)
    arena.begin(1)
    arena._slot_seeds[0] = SEED  # and no generation yet
    merged = MergedLedger([arena])
    ledger = merged.of_worker(0)
    ledger.accept(OTHER_SEED, 1)
    assert [each.seed for each in merged.view().populations] == [OTHER_SEED]


def test_the_front_itself_counts_nothing() -> None:
    merged, _ = workers_of(1)
    with pytest.raises(AssertionError, match="by the workers alone"):
        merged.accept(SEED, 1)
    with pytest.raises(AssertionError, match="by the workers alone"):
        merged.reject(SEED, 1, "Unregistered")


def test_a_workers_own_view_is_of_its_own_marks() -> None:
    merged, (ledger, other) = workers_of(2)
    ledger.reject(SEED, 1, "Unregistered")
    other.accept(SEED, 1)
    view = ledger.view()
    assert (view.populations[0].rejected, view.populations[0].answers_by_reason) == (1, {"Unregistered": 1})
    assert replace(view, populations=[]) == replace(merged.view(), populations=[])
