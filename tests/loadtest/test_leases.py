"""Leases: whatever order workers join, report, stop and die in, every device is in one place, and its end is told once."""

import random
from collections import deque

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from loadtest.leases import Holding, Lease, Leases, Piece, Standing, devices_in, joined, runs

DEVICES = 60


def indices(pieces: list[Piece]) -> list[int]:
    return [index for piece in pieces for index in range(piece.start, piece.stop)]


def pieces(of: set[int]) -> list[Piece]:
    return [Piece(run.start, run.stop) for run in runs(of)]


class Worker:
    """A worker as the master never sees it: `open` is what it would still send."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.open: set[int] = set()
        self.given_back: set[int] = set()
        self.ended: list[int] = []  # since its last report
        self.holding = Holding()
        self.to_it: deque[Lease] = deque()
        self.from_it: deque[tuple[Standing, list[int]]] = deque()


class Campaign(RuleBasedStateMachine):
    """A master and its workers, with messages under way in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.leases = Leases(DEVICES)
        self.next = 0
        self.alive: list[Worker] = []
        self.dead: list[Worker] = []
        self.told: list[int] = []  # ends, by the reports that were believed
        self.names = 0
        self.sent: list[int] = []
        self.repeats = 0

    @rule()
    def join(self) -> None:
        self.names += 1
        worker = Worker(f"worker {self.names}")
        self.alive.append(worker)
        self.leases.join(worker.name)

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), count=st.integers(1, 25))
    def grant(self, data: st.DataObject, count: int) -> None:
        worker = data.draw(st.sampled_from(self.alive), "worker")
        taken = self.leases.take_given_back(count)
        more = min(count - devices_in(taken), DEVICES - self.next)
        if more > 0:
            taken.append(Piece(self.next, self.next + more))
            self.next += more
        self.repeats += devices_in(piece for piece in taken if piece.unsure)
        worker.to_it.append(self.leases.lease(worker.name, taken))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), lost_on_the_way=st.booleans())
    def lease_arrives(self, data: st.DataObject, lost_on_the_way: bool) -> None:
        worker = data.draw(st.sampled_from(self.alive), "worker")
        if worker.to_it:
            lease = worker.to_it.popleft()
            if not lost_on_the_way and worker.holding.take(lease):
                worker.open.update(indices(lease.pieces))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), seed=st.integers(0, 100), share=st.floats(0, 1), back=st.booleans())
    def send(self, data: st.DataObject, seed: int, share: float, back: bool) -> None:
        worker = data.draw(st.sampled_from(self.alive), "worker")
        some = random.Random(seed).sample(sorted(worker.open), int(share * len(worker.open)))
        worker.open.difference_update(some)
        if back:
            worker.given_back.update(some)
        else:
            worker.ended += some
            self.sent += some

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def report(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.alive), "worker")
        standing = worker.holding.standing(pieces(worker.open), pieces(worker.given_back))
        worker.from_it.append((msgspec.convert(msgspec.to_builtins(standing), Standing), worker.ended))
        worker.ended, worker.given_back = [], set()

    @precondition(lambda self: self.alive or self.dead)
    @rule(data=st.data(), lost_on_the_way=st.booleans())
    def report_arrives(self, data: st.DataObject, lost_on_the_way: bool) -> None:
        worker = data.draw(st.sampled_from(self.alive + self.dead), "worker")
        if worker.from_it and lost_on_the_way:
            worker.from_it.popleft()
        elif worker.from_it:
            self.take_report(worker)

    def take_report(self, worker: Worker) -> None:
        standing, ended = worker.from_it.popleft()
        if self.leases.hear(worker.name, standing):
            assert worker in self.alive
            self.told += ended
        elif worker in self.alive:
            assert standing.number > 1  # one before it was lost, or a lease
            self.die(worker)

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def dies(self, data: st.DataObject) -> None:
        self.die(data.draw(st.sampled_from(self.alive), "worker"))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), takes=st.booleans())
    def leaves(self, data: st.DataObject, takes: bool) -> None:
        """In good order, with a last report, whatever is still on the way to it."""
        worker = data.draw(st.sampled_from(self.alive), "worker")
        if takes:
            self.lease_arrives(data=data, lost_on_the_way=False)
        while worker in self.alive and worker.from_it:
            self.take_report(worker)
        if worker in self.alive:
            standing = worker.holding.standing([], pieces(worker.open | worker.given_back))
            if self.leases.hear(worker.name, standing):
                self.told += worker.ended
                self.leases.leave(worker.name)
                self.alive.remove(worker)
            else:
                self.die(worker)

    def die(self, worker: Worker) -> None:
        held = self.leases.held_by(worker.name)
        assert self.leases.lose(worker.name) == held
        self.alive.remove(worker)
        self.dead.append(worker)  # it may still send what it holds, and be heard

    @invariant()
    def every_device_is_in_one_place(self) -> None:
        held = sum(self.leases.held_by(worker.name) for worker in self.alive)
        assert self.next == held + self.leases.given_back + self.leases.closed
        places = [index for worker in self.alive for index in indices(self.leases._holders[worker.name].pieces())]
        places += indices(list(self.leases._given_back)) + self.told
        assert sorted(places) == list(range(self.next))

    @invariant()
    def its_end_is_told_once(self) -> None:
        assert len(self.told) == len(set(self.told)) == self.leases.closed

    @invariant()
    def what_was_sent_twice_is_among_the_repeated(self) -> None:
        assert self.leases.repeated == self.repeats
        assert len(self.sent) - len(set(self.sent)) <= self.repeats

    def teardown(self) -> None:
        """One worker that lives on ends the campaign, whatever became of the others."""
        for worker in list(self.alive):
            self.die(worker)
        self.join()
        [last] = self.alive
        taken = self.leases.take_given_back(DEVICES)
        taken += [Piece(self.next, DEVICES)] if self.next < DEVICES else []
        self.next = DEVICES
        lease = self.leases.lease(last.name, taken)
        assert self.leases.hear(last.name, Standing(1, lease.number, [], []))
        assert self.leases.finished
        self.told += indices(taken)
        self.its_end_is_told_once()
        assert sorted(self.told) == list(range(DEVICES))


CampaignTest = Campaign.TestCase
CampaignTest.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.fixture
def leases() -> Leases:
    made = Leases(100)
    made.join("a")
    made.lease("a", [Piece(0, 40)])
    return made


@pytest.mark.parametrize(
    "spoiled",
    [
        Standing(2, 1, [], []),  # the first is missing
        Standing(1, 2, [], []),  # a lease that was never given
        Standing(1, 1, [Piece(30, 41)], []),  # more than it holds
        Standing(1, 1, [Piece(0, 10), Piece(9, 20)], []),  # one device twice
        Standing(1, 1, [Piece(0, 10)], [Piece(5, 6)]),  # kept and given back
        Standing(1, 0, [Piece(0, 10)], []),  # of a lease that it says it has not received
        Standing(1, 1, [Piece(7, 7)], []),
    ],
)
def test_a_report_that_cannot_be_is_not_believed_and_changes_nothing(leases: Leases, spoiled: Standing) -> None:
    assert not leases.hear("a", spoiled)
    assert (leases.closed, leases.held_by("a"), leases.given_back) == (0, 40, 0)
    assert leases.hear("a", Standing(1, 1, [Piece(30, 40)], [Piece(5, 6)]))
    assert (leases.closed, leases.held_by("a"), leases.given_back) == (29, 10, 1)


def test_a_stranger_is_not_believed(leases: Leases) -> None:
    assert not leases.hear("b", Standing(1, 0, [], []))
    assert leases.lose("b") == 0


def test_what_a_lost_worker_held_goes_first_and_counts_as_repeated_when_it_is_leased_again(leases: Leases) -> None:
    leases.hear("a", Standing(1, 1, [Piece(10, 40)], []))
    leases.join("b")
    leases.lease("b", [Piece(40, 50)])
    leases.hear("b", Standing(1, 1, [], [Piece(40, 50)]))
    leases.lose("a")
    assert (leases.given_back, leases.unsure, leases.repeated) == (40, 30, 0)
    taken = leases.take_given_back(20)
    assert taken == [Piece(10, 30, unsure=True)]
    assert leases.lease("b", taken).pieces == [Piece(10, 30)]
    assert (leases.repeated, leases.unsure) == (20, 10)
    assert leases.take_given_back(20) == [Piece(30, 40, unsure=True), Piece(40, 50)]


def test_a_scheduled_batch_stays_whole(leases: Leases) -> None:
    leases.join("b")
    leases.lease("b", [Piece(40, 60, 1.5), Piece(60, 80, 1.7)])
    leases.lose("b")
    assert leases.take_given_back(1) == [Piece(40, 60, 1.5, unsure=True)]


def test_neighbours_join_only_where_nothing_tells_them_apart() -> None:
    apart = [Piece(0, 5, 1.0), Piece(5, 9, 2.0), Piece(9, 10, 2.0, recorded=True)]
    assert joined(reversed(apart)) == apart
    assert joined([Piece(5, 9), Piece(0, 5), Piece(10, 11)]) == [Piece(0, 9), Piece(10, 11)]
    assert runs([7, 3, 4, 5]) == [range(3, 6), range(7, 8)]
    assert runs([]) == []
