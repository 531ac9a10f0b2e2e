"""What the control API shows of a simulator with several workers: sums, and what faults have played."""

import asyncio
from collections.abc import Iterator

import pytest

from simulator.faults.engine import Planned
from simulator.faults.match import Match
from simulator.faults.reason import ReasonFault
from simulator.rig import Rig
from simulator.workers.asked import REPORT_KIND, encode
from simulator.workers.reports import Report
from tests.control.control_server import get, new_rig, row
from tests.workers.linked_workers import ENTRIES, WorkersServer


@pytest.fixture
def control() -> Iterator[WorkersServer]:
    """A simulator with two workers."""
    with WorkersServer() as server:
        yield server


def test_counters_are_summed_up(control: WorkersServer) -> None:
    def count(rig: Rig) -> None:
        rig.counters.notifications += 3
        rig.counters.rejected_by_reason["BadDeviceToken"] += 1
        rig.counters.limits_reached["connections_max"] += 1

    for number in (0, 1):
        control.of_worker(number, count)
    control.on_loop(lambda: control.rig.counters.limits_reached.update(connections_max=1))  # at the door
    counters = get(control, "/api/v1/stats")["counters"]
    assert (counters["notifications"], counters["rejected"]) == (6, 2)
    assert counters["limits_reached"] == {"connections_max": 3}
    metrics = control.call("GET", "/metrics").content.decode()
    assert "pushrig_notifications_total 6.0" in metrics
    assert 'pushrig_rejected_total{reason="BadDeviceToken"} 2.0' in metrics


def test_each_worker_is_shown(control: WorkersServer) -> None:
    control.of_worker(1, lambda rig: setattr(rig.counters, "notifications", 7))
    workers = get(control, "/api/v1/stats")["workers"]
    assert workers == [
        {"number": 1, "pid": 1_001, "restarts": 0, "connections_open": 10, "notifications": 0},
        {"number": 2, "pid": 1_002, "restarts": 0, "connections_open": 11, "notifications": 7},
    ]
    metrics = control.call("GET", "/metrics").content.decode()
    assert 'pushrig_worker_notifications_total{worker="2"} 7.0' in metrics
    assert 'pushrig_worker_connections_open{worker="1"} 10.0' in metrics


def test_what_an_ended_worker_has_counted_stays(control: WorkersServer) -> None:
    control.of_worker(0, lambda rig: setattr(rig.counters, "accepted", 5))
    control.journal_of(0, row(), row())
    control.journal_of(1, row())
    get(control, "/api/v1/stats")
    control.on_loop(lambda: control.workers.end(0))
    control.begin_worker(0, new_rig(ENTRIES))
    control.of_worker(0, lambda rig: setattr(rig.counters, "accepted", 2))
    stats = get(control, "/api/v1/stats")
    assert stats["counters"]["accepted"] == 7
    assert stats["journal"] == {"total": 3, "held": 1, "dropped": 2, "capacity": ENTRIES}
    assert stats["workers"][0]["restarts"] == 1


def test_counters_begin_anew_in_all(control: WorkersServer) -> None:
    for number in (0, 1):
        control.of_worker(number, lambda rig: setattr(rig.counters, "accepted", 5))
    get(control, "/api/v1/stats")
    control.on_loop(lambda: control.workers.end(0))
    assert get(control, "/api/v1/stats")["counters"]["accepted"] == 10
    assert control.call("POST", "/api/v1/reset", {"parts": ["counters"]}).status == 200
    assert get(control, "/api/v1/stats")["counters"]["accepted"] == 0


def test_faults_show_how_often_all_have_played_them(control: WorkersServer) -> None:
    control.call("POST", "/api/v1/faults", {"fault": "reason", "options": {"reason": "TooManyRequests"}})

    def play(rig: Rig) -> None:
        (fault,) = rig.faults
        rig.faults._count(fault)

    for number in (0, 1, 1):
        control.of_worker(number, play)
    assert get(control, "/api/v1/faults")["faults"][0]["played"] == 3
    assert 'pushrig_faults_played_total{fault="reason"} 3.0' in control.call("GET", "/metrics").content.decode()


def test_a_fault_that_is_played_so_often_stops_in_all(control: WorkersServer) -> None:
    planned = Planned(ReasonFault(reason="TooManyRequests"), Match(times_max=3))
    for rig in (control.rig, *control.workers.rigs.values()):
        control.on_loop(lambda rig=rig: rig.faults.add(planned, 0.0))  # type: ignore[misc]

    def play(rig: Rig) -> None:
        (fault,) = rig.faults
        rig.faults._count(fault)

    def fits(rig: Rig) -> bool:
        (fault,) = rig.faults
        return fault.matcher.fits_now(0.0)

    control.of_worker(0, play)
    control.of_worker(1, play)
    get(control, "/api/v1/faults")
    assert [control.of_worker(number, fits) for number in (0, 1)] == [True, True]
    control.of_worker(1, play)
    get(control, "/api/v1/faults")  # reads the reports, by which the others are told
    get(control, "/api/v1/faults")  # asked for behind what was told
    assert [control.of_worker(number, fits) for number in (0, 1)] == [False, False]


def test_a_worker_that_was_begun_before_others_have_played_a_fault_hears_of_it(control: WorkersServer) -> None:
    planned = Planned(ReasonFault(reason="TooManyRequests"), Match(times_max=1))
    begun = new_rig(ENTRIES)
    for rig in (control.rig, *control.workers.rigs.values(), begun):
        control.on_loop(lambda rig=rig: rig.faults.add(planned, 0.0))  # type: ignore[misc]
    control.on_loop(lambda: control.workers.end(1))

    def play(rig: Rig) -> None:
        (fault,) = rig.faults
        rig.faults._count(fault)

    control.of_worker(0, play)
    get(control, "/api/v1/faults")
    control.begin_worker(1, begun)
    get(control, "/api/v1/faults")  # asked for behind what was told
    (fault,) = begun.faults
    assert not control.on_loop(lambda: fault.matcher.fits_now(0.0))


def test_a_worker_that_ends_behind_its_answer_is_counted_once(control: WorkersServer) -> None:
    control.of_worker(1, lambda rig: setattr(rig.counters, "accepted", 5))
    assert get(control, "/api/v1/stats")["counters"]["accepted"] == 5

    async def answer_late(body: bytes) -> bytes:
        for _ in range(20):  # until the other's answer has come
            await asyncio.sleep(0)
        control.workers.end(1)
        return encode(Report.of(control.workers.rigs[0]))

    control.on_loop(lambda: control.workers.at(0, REPORT_KIND, answer_late))
    for _ in range(2):
        assert get(control, "/api/v1/stats")["counters"]["accepted"] == 5
        control.on_loop(
            lambda: control.workers.at(0, REPORT_KIND, lambda body: encode(Report.of(control.workers.rigs[0])))
        )
