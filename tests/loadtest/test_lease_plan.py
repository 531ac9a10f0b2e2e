"""What a worker is leased next: shares that shrink, batches in turn, and bounds on what one worker may hold."""

import pytest

from loadtest.arrivals import Arrival
from loadtest.index_pool import IndexPool
from loadtest.lease_plan import HELD_DEVICES_MAX, LEASE_DEVICES_MAX, ClosedPlan, OpenPlan
from loadtest.leases import Leases, Piece, Standing, devices_in, within, without
from loadtest.timetable import Timetable


def joined_by(devices: int, *workers: str) -> Leases:
    leases = Leases(devices)
    for worker in workers:
        leases.join(worker)
    return leases


def test_leases_of_a_closed_loop_shrink_to_one_batch_and_cover_every_device() -> None:
    leases, plan = joined_by(1_000, "a", "b"), ClosedPlan(500, 1_500, 10)
    sizes, pieces, number = [], [], 0
    while (lease := plan.lease_to("ab"[number % 2], leases)) is not None:
        sizes.append(devices_in(lease.pieces))
        pieces += lease.pieces
        number += 1
    assert sizes[:3] == [250, 190, 140]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] == 10
    assert (pieces[0].start, pieces[0].stop) == (500, 750)
    assert pieces[-1].stop == 1_500


def test_a_lease_and_what_a_worker_holds_are_bounded_until_it_reports() -> None:
    devices = 10 * HELD_DEVICES_MAX
    leases, plan = joined_by(devices, "a"), ClosedPlan(0, devices, 1_000)
    given = 0
    while (lease := plan.lease_to("a", leases)) is not None:
        assert devices_in(lease.pieces) <= LEASE_DEVICES_MAX
        given += 1
    assert leases.held_by("a") == HELD_DEVICES_MAX
    assert leases.hear("a", Standing(1, given, [], []))
    assert plan.lease_to("a", leases) is not None


def test_what_was_given_back_is_leased_before_anything_else() -> None:
    leases, plan = joined_by(100, "a", "b"), ClosedPlan(0, 100, 10)
    plan.lease_to("a", leases)
    leases.lose("a")
    lease = plan.lease_to("b", leases)
    assert lease is not None and lease.pieces == [Piece(0, 30), Piece(30, 50)]
    assert leases.repeated == 30


def batches(*instants_s: float) -> Timetable:
    return Timetable(Arrival(at_s, n * 10, n * 10 + 10) for n, at_s in enumerate(instants_s))


def test_batches_are_dealt_in_turn_up_to_an_instant() -> None:
    leases, plan = joined_by(60, "a", "b"), OpenPlan(batches(0, 1, 2, 3, 4, 9))
    dealt = plan.deal(["a", "b"], leases, 3.0)
    assert {worker: [piece.at_s for piece in lease.pieces] for worker, lease in dealt.items()} == {
        "b": [0, 2],
        "a": [1, 3],
    }
    assert plan.deal([], leases, 10.0) == {}
    assert [lease.pieces for lease in plan.deal(["b"], leases, 8.9).values()] == [[Piece(40, 50, 4)]]
    assert plan.deal(["b"], leases, 8.9) == {}


def test_batches_of_a_lost_worker_are_dealt_at_once_with_their_own_instants() -> None:
    leases, plan = joined_by(20, "a", "b"), OpenPlan(batches(5, 6))
    plan.deal(["a"], leases, 10.0)
    leases.lose("a")
    [lease] = plan.deal(["b"], leases, 0.0).values()
    assert lease.pieces == [Piece(0, 10, 5), Piece(10, 20, 6)]
    assert leases.repeated == 20


def test_a_worker_that_holds_too_much_gets_no_batch_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.lease_plan.HELD_DEVICES_MAX", 15)
    leases, plan = joined_by(40, "a", "b"), OpenPlan(batches(0, 1, 2, 3))
    assert len(plan.deal(["a", "b"], leases, 10.0)) == 2
    assert plan.deal(["a", "b"], leases, 10.0) == {}
    assert leases.hear("a", Standing(1, 1, [], []))
    assert [lease.pieces for lease in plan.deal(["a", "b"], leases, 10.0).values()] == [[Piece(20, 30, 2)]]


def test_a_pool_gives_batches_in_a_row_and_counts_what_may_have_been_sent() -> None:
    pool = IndexPool([Piece(0, 25), Piece(40, 50)])
    pool.add([Piece(70, 75, unsure=True)])
    assert [pool.take(20) for _ in range(3)] == [range(20), range(20, 25), range(40, 50)]
    assert (pool.remaining, pool.repeated, pool.pieces) == (5, 0, [Piece(70, 75, unsure=True)])
    assert (pool.take(3), pool.repeated) == (range(70, 73), 3)
    assert pool.take_all() == [Piece(73, 75, unsure=True)]
    assert (pool.take(20), pool.repeated) == (range(0), 3)


def test_pieces_can_be_cut_to_what_others_cover_and_without_single_indices() -> None:
    covering = [Piece(0, 5), Piece(5, 10), Piece(20, 30)]
    assert within([Piece(3, 25, 1.0), Piece(24, 40)], covering) == [
        Piece(3, 10, 1.0),
        Piece(20, 25, 1.0),
        Piece(25, 30),
    ]
    assert within([Piece(10, 20)], covering) == within([], covering) == within([Piece(0, 1)], []) == []
    assert without([Piece(0, 10, 1.0)], {0, 4, 5, 12}) == [Piece(1, 4, 1.0), Piece(6, 10, 1.0)]


def test_a_batch_beyond_the_bound_goes_to_a_worker_that_holds_nothing() -> None:
    devices = 2 * HELD_DEVICES_MAX
    large = Timetable([Arrival(0, 0, devices), Arrival(0, devices, devices + 1)])
    leases, plan = joined_by(devices + 1, "a"), OpenPlan(large)
    assert [lease.pieces for lease in plan.deal(["a"], leases, 1.0).values()] == [[Piece(0, devices, 0)]]
    assert leases.given_back == 1  # until it has reported


def test_what_somebody_may_have_sent_counts_as_repeated_when_it_is_taken() -> None:
    pool = IndexPool([Piece(0, 10, unsure=True), Piece(10, 20)])
    assert (pool.take(4), pool.repeated) == (range(4), 4)
    assert (pool.take(8), pool.repeated) == (range(4, 10), 10)
    assert (pool.take(8), pool.repeated) == (range(10, 18), 10)
