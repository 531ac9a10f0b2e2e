"""The master's account of a campaign: workers that ask, report, refuse, fall silent and come back."""

import msgspec
import pytest

from loadtest.lease_campaign import START_AFTER_S, MasterCampaign
from loadtest.lease_messages import LEASE, LOST, Asked, Leased, Lost, WorkerReport
from loadtest.lease_plan import AHEAD_S
from loadtest.leases import Holding, Lease, Piece, Standing, devices_in
from loadtest.load_settings import LoadSettings
from loadtest.profiles import Curve, Profile
from loadtest.recording import Recording
from loadtest.tally import Tally
from sender.pool import Endpoint
from simulator.devices.token_space import Environment, Population

RUN = 77


def settings(devices: int = 100, profile: Profile | None = None) -> LoadSettings:
    return LoadSettings(
        population=Population(3, devices, "com.example.app", Environment.PRODUCTION, ()),
        start_index=0,
        batch_size=10,
        connections_per_user=1,
        profile=profile,
        poisson=False,
        batches_file=None,
        endpoint=Endpoint.parse("https://localhost:8443"),
        apns=None,
        fcm=None,
        ca_file=None,
    )


class Master:
    """A campaign with what it sends, and a clock and a presence to be set."""

    def __init__(self, wanted: LoadSettings, *present: str) -> None:
        self.now_s = 1_000.0
        self.present = set(present)
        self.sent: list[tuple[str, str, msgspec.Struct]] = []
        self.campaign = MasterCampaign(
            wanted,
            RUN,
            send=lambda worker, message, content: self.sent.append((worker, message, content)),
            present=lambda: self.present,
            now=lambda: self.now_s,
        )

    def leases(self, worker: str) -> list[Leased]:
        return [content for each, _, content in self.sent if each == worker and isinstance(content, Leased)]

    def report(self, worker: str, number: int, open_: list[Piece], accepted: int, **changed: object) -> bool:
        """A report that all leases have arrived, and that so many were accepted in all."""
        valid = WorkerReport(
            run=RUN,
            standing=Standing(number, len(self.leases(worker)), open_, []),
            tally=Tally(sent=accepted, accepted=accepted),
            recording=Recording(scheduled=accepted),
            repeated=0,
            idle=False,
            stopped=None,
            leaving=False,
        )
        return self.campaign.heard(worker, msgspec.structs.replace(valid, **changed))


@pytest.fixture
def master() -> Master:
    made = Master(settings(), "a", "b")
    for worker in ("a", "b"):
        made.campaign.asked(worker, Asked())
    return made


def test_a_campaign_is_over_when_every_device_has_come_to_its_end(master: Master) -> None:
    given = dict.fromkeys("ab", 0)
    reports = dict.fromkeys("ab", 0)
    while not master.campaign.over:
        for worker in "ab":
            given[worker] = sum(devices_in(lease.pieces) for lease in master.leases(worker))
            reports[worker] += 1
            assert master.report(worker, reports[worker], [], given[worker])
            master.campaign.asked(worker, Asked())
    assert sum(given.values()) == master.campaign.tally.accepted == 100
    assert min(given.values()) > 20
    assert (master.campaign.repeated, master.campaign.stopped) == (0, None)


def test_what_a_worker_told_before_it_was_lost_counts_and_the_rest_is_leased_again(master: Master) -> None:
    [first] = master.leases("a")
    assert first.pieces == [Piece(0, 50)]
    stop = first.pieces[0].stop
    assert master.report("a", 1, [Piece(20, stop)], 20)
    master.present.remove("a")
    master.campaign.asked("b", Asked())
    master.campaign.watch()
    master.campaign.asked("b", Asked())
    again = [piece for lease in master.leases("b") for piece in lease.pieces]
    assert any(piece.start == 20 for piece in again)
    assert 0 < master.campaign.repeated <= stop - 20
    assert master.campaign.tally.accepted == 20


def test_a_lost_worker_that_comes_back_is_told_and_does_not_count(master: Master) -> None:
    assert master.report("a", 1, [], 5)
    master.present.remove("a")
    master.campaign.watch()
    master.present.add("a")
    assert not master.report("a", 2, [], 30)
    assert ("a", LOST, Lost(RUN)) in master.sent
    assert master.campaign.is_lost("a") and not master.campaign.is_lost("b")
    before = len(master.leases("a"))
    master.campaign.asked("a", Asked())
    assert len(master.leases("a")) == before
    assert (master.campaign.tally.accepted, master.campaign.recording.scheduled) == (5, 5)


def test_a_worker_whose_report_is_missing_is_lost(master: Master) -> None:
    assert not master.report("a", 2, [], 30)
    assert master.campaign.is_lost("a")


def test_a_report_of_another_run_is_no_matter_of_ours(master: Master) -> None:
    assert master.report("a", 1, [], 30, run=RUN + 1)
    assert (master.campaign.tally.accepted, master.campaign.is_lost("a")) == (0, False)


def test_a_worker_that_leaves_gives_everything_back_and_nothing_counts_as_repeated(master: Master) -> None:
    [first] = master.leases("a")
    standing = Standing(1, 0, [], [])  # the lease was still on its way
    assert master.report("a", 1, [], 0, standing=standing, leaving=True)
    assert "a" not in master.campaign.leases.workers
    assert master.campaign.leases.given_back == devices_in(first.pieces)
    master.campaign.asked("b", Asked())
    assert master.leases("b")[-1].pieces[0] == first.pieces[0]._replace(stop=master.leases("b")[-1].pieces[0].stop)
    assert master.campaign.repeated == 0


def test_it_ends_when_nobody_is_left_to_send(master: Master) -> None:
    assert master.report("a", 1, [], 3, stopped="403 InvalidProviderToken")
    assert not master.campaign.over
    master.present.remove("b")
    master.campaign.watch()
    assert master.campaign.over
    assert master.campaign.stopped == "403 InvalidProviderToken"
    [lost] = master.leases("b")
    assert (master.campaign.unknown, master.campaign.repeated) == (devices_in(lost.pieces), 0)


def test_a_worker_that_cannot_take_part_is_not_waited_for() -> None:
    master = Master(settings(), "a")
    assert not master.campaign.over
    master.campaign.asked("a", Asked("--key-file: cannot read it"))
    assert master.campaign.over
    assert (master.campaign.stopped, master.sent) == ("--key-file: cannot read it", [])


def test_a_worker_without_users_gets_no_more_until_it_asks() -> None:
    master = Master(settings(1_000, Curve([(0, 100.0)])), "a", "b")
    for worker in ("a", "b"):
        master.campaign.asked(worker, Asked())
    master.now_s += START_AFTER_S
    master.campaign.watch()
    given = [piece for lease in master.leases("a") for piece in lease.pieces]
    assert master.report("a", 1, [], 0, standing=Standing(1, 1, [], given), idle=True)
    before = len(master.leases("a"))
    master.now_s += 1.0
    master.campaign.watch()
    assert len(master.leases("a")) == before
    master.now_s += 1.0
    master.campaign.asked("a", Asked())
    assert len(master.leases("a")) == before + 1
    assert master.campaign.repeated == 0


def test_an_open_loop_waits_a_moment_for_all_and_deals_ahead() -> None:
    master = Master(settings(1_000, Curve([(0, 100.0)])), "a", "b")
    for worker in ("a", "b"):
        master.campaign.asked(worker, Asked())
    assert master.sent == []
    assert master.campaign.started_at_s == master.now_s + START_AFTER_S
    master.now_s += START_AFTER_S
    master.campaign.watch()
    dealt = {worker: [piece for lease in master.leases(worker) for piece in lease.pieces] for worker in "ab"}
    assert {worker: devices_in(pieces) for worker, pieces in dealt.items()} == {"a": 100, "b": 100}
    assert max(piece.at_s or 0 for pieces in dealt.values() for piece in pieces) <= AHEAD_S
    assert {lease.started_at_s for worker in "ab" for lease in master.leases(worker)} == {master.now_s}
    assert [message for _, message, _ in master.sent] == [LEASE, LEASE]
    # One dies: its batches go to the other with the instants that they had.
    master.present.remove("a")
    master.campaign.watch()
    again = {piece.start: piece.at_s for lease in master.leases("b")[1:] for piece in lease.pieces}
    assert again == {piece.start: piece.at_s for piece in dealt["a"]}
    assert master.campaign.repeated == 100


def test_a_lease_that_is_lost_on_the_way_goes_to_others() -> None:
    master = Master(settings(), "a", "b")
    holding, numbers = Holding(), []

    def hear(lease: Leased, open_: list[Piece]) -> bool:
        numbers.append(lease.number)
        holding.take(Lease(lease.number, lease.pieces))
        return master.report("a", 0, [], 0, standing=holding.standing(open_, []))

    for worker in ("a", "a", "b", "a"):
        master.campaign.asked(worker, Asked())
    first, _lost, third = master.leases("a")
    assert hear(first, first.pieces)
    assert not hear(third, [*first.pieces, *third.pieces])
    assert numbers == [1, 3] and master.campaign.is_lost("a")
    # Nothing of `a` came to its end: all of it is for `b`.
    leases = master.campaign.leases
    of_a = sum(devices_in(lease.pieces) for lease in (first, _lost, third))
    assert (leases.closed, leases.given_back) == (0, of_a)


def test_what_users_of_a_worker_left_to_each_other_is_repeated_too(master: Master) -> None:
    [first] = master.leases("a")
    assert master.report("a", 1, first.pieces, 0, repeated=3)
    assert master.campaign.repeated == 3
