"""The sums of what processes report: what has ended stays in them, what was reset does not."""

from dataclasses import fields

import msgspec

from simulator.counters import Counters
from simulator.faults.engine import Planned
from simulator.faults.match import Match
from simulator.faults.reason import ReasonFault
from simulator.fcm.fan_out import FanOuts
from simulator.rig import Rig
from simulator.workers.reports import Report, Reports
from simulator.workers.worker_rig import empty_for_worker
from tests.control.control_server import new_rig, row

FAULT = Planned(ReasonFault(reason="TooManyRequests"), Match(times_max=3))


def _busy(notifications: int = 3) -> Rig:
    """A rig that has done something of everything."""
    rig = new_rig()
    counters = rig.counters
    for number, each in enumerate(fields(Counters), notifications):
        if each.type is int and each.name != "resets":
            setattr(counters, each.name, number)
    counters.rejected_by_reason["BadDeviceToken"] = counters.google_calls["token"] = notifications
    counters.limits_reached["connections_max"] = 1
    fault = rig.faults.add(FAULT, 0.0)
    fault.matcher.played = 2
    rig.faults.played["reason"] = 2
    rig.observe()
    rig.log_frames()
    rig.frame_log.note(1, "a line")
    for _ in range(notifications):
        rig.journal.append(row())
    rig.journal.settle(notifications)
    return rig


def _over_a_wire(rig: Rig) -> Report:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(Report.of(rig)), type=Report)


def _reports(*rigs: Rig) -> Reports:
    reports = Reports()
    for source, rig in enumerate(rigs):
        reports.heard(source, _over_a_wire(rig))
    return reports


def test_the_sum_of_one_is_what_it_has() -> None:
    rig = _busy()
    reports = _reports(rig)
    assert reports.counters(0) == rig.counters
    assert reports.played(0) == {"reason": 2}
    assert reports.plays(1) == 2
    assert reports.observations(1) == (3, 0)
    assert reports.frame_lines(1) == 1


def test_sums_add_everything_up() -> None:
    reports = _reports(_busy(3), _busy(5))
    summed = reports.counters(0)
    assert (summed.notifications, summed.accepted, summed.rejected) == (8, 10, 8)
    assert summed.limits_reached == {"connections_max": 2}
    assert reports.played(0) == {"reason": 4}
    assert (reports.plays(1), reports.plays(1, but=0), reports.plays(2)) == (4, 2, 0)
    assert reports.observations(1) == (8, 0)
    assert reports.frame_lines(1) == 2


def test_what_has_ended_stays_but_for_connections_and_records() -> None:
    reports = _reports(_busy(3), _busy(3), _busy(3))
    before = reports.counters(0)
    reports.ended(1)
    reports.ended(2)
    after = reports.counters(0)
    assert before.connections_open > after.connections_open == _busy(3).counters.connections_open
    before.connections_open = after.connections_open
    assert after == before
    assert (reports.played(0), reports.plays(1)) == ({"reason": 6}, 6)
    assert reports.entries_lost == 6
    assert reports.observations(1) == (3, 6)
    assert reports.frame_lines(1) == 3
    reports.journal_cleared()
    assert reports.entries_lost == 0


def test_what_was_counted_before_a_reset_does_not_count() -> None:
    early, late = _busy(3), _busy(5)
    reports = _reports(early, early, late)
    reports.ended(0)
    late.counters.reset()
    late.counters.notifications = 4
    late.observe()
    late.log_frames()
    reports.heard(2, _over_a_wire(late))
    assert reports.counters(1).notifications == 4
    assert reports.observations(2) == (0, 0)
    assert reports.frame_lines(2) == 0
    reports.ended(2)
    reports.ended(1)
    assert reports.counters(1).notifications == 4
    assert reports.counters(1).rejected == 0


def test_messages_on_their_way_end_with_their_process() -> None:
    class Full(FanOuts):
        def __len__(self) -> int:
            return 7

    rig = new_rig()
    rig.fcm.fan_outs = Full()
    reports = _reports(rig)
    assert reports.fan_outs_waiting == 7
    reports.ended(0)
    assert reports.fan_outs_waiting == 0


def test_a_worker_begins_with_nothing_done_and_everything_known() -> None:
    rig = _busy()
    rig.counters.reset()
    began_s = rig.observations.began_s
    counted = rig.counters  # what was made before the fork holds on to this
    empty_for_worker(rig)
    assert rig.counters is counted
    assert counted == Counters(resets=1)
    assert (rig.journal.total, rig.observations.kept, rig.frame_log.lines) == (0, 0, 0)
    assert (rig.observations.on, rig.observations.began_s, rig.frame_log.on) == (True, began_s, True)
    (fault,) = rig.faults
    assert (fault.matcher.played, fault.played, rig.faults.played) == (0, 2, {})
    assert fault.matcher.fits_now(0.0)
    fault.matcher.played = 1
    assert not fault.matcher.fits_now(0.0)  # `times_max` counts what was played elsewhere
