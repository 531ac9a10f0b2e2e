"""The ledger counts what became of every device, and its figures sum to the declared count."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import ledger as ledger_module
from simulator.bounds import BoundReachedError
from simulator.ledger import (
    FINISHED_ROUNDS_MAX,
    INDEX_RANGE,
    LISTED_INDICES_MAX,
    OTHER_REASONS,
    PAGE_INDICES,
    POPULATIONS_MAX,
    REASONS_MAX,
    VIEW_LISTED_INDICES_MAX,
    Ledger,
    PopulationView,
    UnknownRoundError,
)

SEED = 2**64 - 1

# Around the borders of pages, so that ranges begin, end and cross there.
indices = st.one_of(
    st.integers(0, 12),
    st.integers(PAGE_INDICES - 3, PAGE_INDICES + 3),
    st.integers(3 * PAGE_INDICES - 3, 3 * PAGE_INDICES + 3),
)
answers = st.lists(st.tuples(st.sampled_from([7, SEED]), indices, st.sampled_from([None, "Unregistered", "BadTopic"])))


def only(ledger: Ledger, seed: int = SEED, number: int | None = None) -> PopulationView:
    (view,) = ledger.view(number, seed).populations
    return view


@given(answers, indices, st.one_of(st.integers(0, 9), st.integers(0, 3 * PAGE_INDICES)))
def test_a_view_agrees_with_a_dictionary_of_every_answer(
    given_answers: list[tuple[int, int, str | None]], start: int, count: int
) -> None:
    ledger = Ledger()
    ledger.declare(SEED, count, start)
    accepted: Counter[int] = Counter()
    rejected: set[int] = set()
    reasons: Counter[str] = Counter()
    for seed, index, reason in given_answers:
        if reason is None:
            ledger.accept(seed, index)
        else:
            ledger.reject(seed, index, reason)
        if seed == SEED:
            if reason is None:
                accepted[index] += 1
            else:
                rejected.add(index)
                reasons[reason] += 1
    inside = range(start, start + count)
    once = [index for index in accepted if accepted[index] == 1 and index in inside]
    more = sorted(index for index in accepted if accepted[index] > 1 and index in inside)
    only_rejected = sorted(index for index in rejected - accepted.keys() if index in inside)
    touched = accepted.keys() | rejected
    never = [index for index in inside if index not in touched]

    view = only(ledger)

    assert view.accepted_once == len(once)
    assert view.accepted_more == len(more)
    assert view.rejected == len(only_rejected)
    assert view.never == len(never)
    assert view.accepted_once + view.accepted_more + view.rejected + view.never == view.count == count
    assert view.outside == len([index for index in touched if index not in inside])
    assert view.answers_by_reason == reasons
    assert view.accepted_more_indices.indices == more
    assert view.rejected_indices.indices == only_rejected
    assert view.never_indices.indices == never[:LISTED_INDICES_MAX]
    assert view.never_indices.truncated == (len(never) > LISTED_INDICES_MAX)


@given(answers)
def test_an_undeclared_population_is_counted_whole_and_never_is_null(
    given_answers: list[tuple[int, int, str | None]],
) -> None:
    ledger = Ledger()
    for seed, index, reason in given_answers:
        if reason is None:
            ledger.accept(seed, index)
        else:
            ledger.reject(seed, index, reason)
    for view in ledger.view().populations:
        mine = [(index, reason) for seed, index, reason in given_answers if seed == view.seed]
        assert (view.start, view.count, view.never, view.outside) == (None, None, None, 0)
        assert view.accepted_once + view.accepted_more + view.rejected == len({index for index, _ in mine})
        assert view.never_indices.indices == []


def test_a_device_rejected_and_later_accepted_counts_as_accepted() -> None:
    ledger = Ledger()
    ledger.declare(SEED, 2)
    ledger.reject(SEED, 0, "TooManyRequests")
    ledger.accept(SEED, 0)
    ledger.accept(SEED, 1)
    ledger.reject(SEED, 1, "TooManyRequests")
    view = only(ledger)
    assert (view.accepted_once, view.rejected, view.never) == (2, 0, 0)
    assert view.answers_by_reason == {"TooManyRequests": 2}
    assert ledger.mark(SEED, 0) == (1, True)


def test_acceptances_beyond_the_second_stay_accepted_more() -> None:
    ledger = Ledger()
    for _ in range(300):
        ledger.accept(SEED, INDEX_RANGE - 1)
    assert (only(ledger).accepted_more, ledger.mark(SEED, INDEX_RANGE - 1)) == (1, (2, False))
    assert (ledger.mark(SEED, 5), ledger.mark(1, 5)) == ((0, False), (0, False))


def test_a_huge_declared_population_takes_no_memory_and_lists_the_first_missed() -> None:
    ledger = Ledger()
    ledger.declare(SEED, INDEX_RANGE)
    ledger.accept(SEED, 1)
    view = only(ledger)
    assert ledger.pages_used == 1
    assert view.never == INDEX_RANGE - 1
    assert view.never_indices.indices == [0, *range(2, LISTED_INDICES_MAX + 1)]
    assert view.never_indices.truncated


def test_a_full_ledger_counts_further_answers_as_untracked_in_every_view() -> None:
    ledger = Ledger(pages_max=1)
    ledger.declare(SEED, 2 * PAGE_INDICES)
    ledger.accept(SEED, 0)
    ledger.accept(SEED, PAGE_INDICES)
    ledger.reject(8, 0, "Unregistered")
    ledger.accept(SEED, 1)
    view = ledger.view()
    assert (view.untracked, ledger.untracked, ledger.pages_used) == (2, 2, 1)
    assert [(each.seed, each.accepted_once) for each in view.populations] == [(SEED, 2)]
    ledger.start_round()
    assert (ledger.view(1).untracked, ledger.view().untracked) == (2, 0)


def test_lists_of_indices_are_truncated_for_each_population_and_for_the_whole_view(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger_module, "VIEW_LISTED_INDICES_MAX", 2 * LISTED_INDICES_MAX + 5)
    ledger = Ledger()
    for index in range(LISTED_INDICES_MAX + 1):
        ledger.reject(1, index, "Unregistered")
        ledger.reject(2, index, "Unregistered")
        ledger.reject(3, index, "Unregistered")
    lists = [each.rejected_indices for each in ledger.view().populations]
    assert [(len(each.indices), each.truncated) for each in lists] == [
        (LISTED_INDICES_MAX, True),
        (LISTED_INDICES_MAX, True),
        (5, True),
    ]
    assert VIEW_LISTED_INDICES_MAX >= 3 * LISTED_INDICES_MAX


def test_a_new_round_counts_from_nothing_and_keeps_populations_and_the_finished_view() -> None:
    ledger = Ledger()
    ledger.declare(SEED, 3)
    ledger.accept(SEED, 0)
    ledger.reject(SEED, 1, "Unregistered")
    assert ledger.start_round() == 2
    ledger.accept(SEED, 0)
    first, second = only(ledger, number=1), only(ledger, number=2)
    assert (first.accepted_once, first.rejected, first.never) == (1, 1, 1)
    assert (first.rejected_indices.indices, first.never_indices.indices) == ([1], [2])
    assert (second.accepted_once, second.rejected, second.never) == (1, 0, 2)
    assert (ledger.view(1).running, ledger.view(2).running, ledger.view(1).rounds) == (False, True, [1, 2])


def test_a_finished_round_keeps_the_populations_that_it_had() -> None:
    ledger = Ledger()
    ledger.declare(SEED, 3)
    ledger.start_round()
    ledger.declare(SEED, 99)
    assert (only(ledger, number=1).count, only(ledger).count) == (3, 99)


def test_a_finished_round_gives_up_its_arrays_at_its_first_view_or_at_the_next_round() -> None:
    ledger = Ledger()
    for _ in range(2):
        ledger.accept(SEED, 0)
        ledger.start_round()
    kept = ledger._finished
    assert [type(each).__name__ for each in kept.values()] == ["LedgerView", "Round"]
    ledger.view(2)
    assert [type(each).__name__ for each in kept.values()] == ["LedgerView", "LedgerView"]


def test_the_oldest_finished_rounds_are_forgotten_and_asking_for_them_names_those_kept() -> None:
    ledger = Ledger()
    for _ in range(FINISHED_ROUNDS_MAX + 1):
        ledger.start_round()
    assert ledger.rounds == list(range(2, FINISHED_ROUNDS_MAX + 3))
    with pytest.raises(UnknownRoundError, match="no round 1") as unknown:
        ledger.view(1)
    assert unknown.value.known == ledger.rounds


def test_a_round_that_is_reset_while_it_is_viewed_is_not_brought_back() -> None:
    ledger = Ledger()
    ledger.accept(SEED, 0)
    ledger.start_round()
    steps = ledger.view_steps(1)
    next(steps)
    ledger.reset()
    assert list(steps) is not None
    assert (ledger.rounds, ledger.view().populations) == ([1], [])


def test_a_view_takes_one_step_for_each_page_so_that_other_work_goes_on_in_between() -> None:
    ledger = Ledger()
    ledger.declare(SEED, 5 * PAGE_INDICES)
    for page in range(5):
        ledger.accept(SEED, page * PAGE_INDICES)
    steps = ledger.view_steps()
    for _ in range(5):
        next(steps)
        ledger.accept(SEED, 1)  # the sum holds although the page changes under way
    with pytest.raises(StopIteration) as done:
        while True:
            next(steps)
    (view,) = done.value.value.populations
    assert view.accepted_once + view.accepted_more + view.rejected + view.never == view.count


def test_a_later_declaration_of_a_seed_replaces_the_earlier() -> None:
    ledger = Ledger()
    ledger.declare(SEED, 3)
    ledger.declare(SEED, 10, start=5)
    assert [(each.start, each.count) for each in ledger.populations()] == [(5, 10)]


def test_populations_are_bounded() -> None:
    ledger = Ledger()
    for seed in range(POPULATIONS_MAX):
        ledger.declare(seed, 1)
    with pytest.raises(BoundReachedError, match="POPULATIONS_MAX"):
        ledger.declare(POPULATIONS_MAX, 1)
    ledger.declare(0, 2)


def test_reasons_are_bounded_and_what_is_beyond_counts_together() -> None:
    ledger = Ledger()
    for number in range(REASONS_MAX + 5):
        ledger.reject(SEED, 0, f"Reason{number}")
    answers_by_reason = only(ledger).answers_by_reason
    assert (len(answers_by_reason), answers_by_reason[OTHER_REASONS]) == (REASONS_MAX + 1, 5)


@pytest.mark.parametrize(
    ("seed", "count", "start", "field"),
    [(-1, 1, 0, "seed"), (2**64, 1, 0, "seed"), (1, -1, 0, "count"), (1, INDEX_RANGE, 1, "count"), (1, 0, -1, "start")],
)
def test_a_population_out_of_range_is_refused(seed: int, count: int, start: int, field: str) -> None:
    ledger = Ledger()
    with pytest.raises(ValueError, match=field):
        ledger.declare(seed, count, start)
    assert ledger.populations() == []
