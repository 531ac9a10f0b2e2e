"""What the control API tells of a change makes the same of another copy of the simulator's state."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from simulator.changes import ControlChange
from simulator.control.app import all_endpoints
from simulator.control.security import ControlAccess
from simulator.control.view import OneProcess, Tell
from simulator.rig import Rig
from tests.control.control_server import FOREIGN_TOKEN, STATE, ControlServer, get, row

VIEWS = ("clock", "service", "fcm", "faults", f"tokens/{FOREIGN_TOKEN}", "ledger", "rates")
WRITES = [
    ("PUT", "clock", {"mode": "freeze"}),
    ("PUT", "clock", {"advance_ms": 5_000}),
    ("PUT", "service", {"apns": "unavailable"}),
    ("PUT", "service", {"fcm": "bad-gateway"}),
    ("PUT", "fcm", {"api_enabled": False}),
    ("PUT", "fcm", {"apns_credential": "invalid"}),
    ("PUT", f"tokens/{FOREIGN_TOKEN}", {"state": "unregistered"}),
    ("PUT", f"tokens/{FOREIGN_TOKEN}", STATE),
    ("POST", "faults", {"fault": "latency", "options": {"median_ms": 20, "share_of_requests": 0.25}}),
    ("POST", "faults", {"fault": "reason", "options": {"reason": "TooManyRequests", "times_max": 3, "from_s": 0.5}}),
    ("POST", "ledger/rounds", None),
]
TAKEN_BACK = [
    ("DELETE", f"tokens/{FOREIGN_TOKEN}"),
    ("DELETE", "faults"),
    ("POST", "reset"),
]


class _Telling(OneProcess):
    """Has another rig make the changes that are told, as they come over a wire."""

    def __init__(self, rig: Rig, other: Rig) -> None:
        super().__init__(rig)
        self.other = other

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Tell]:
        """See `View`."""
        yield lambda change: _over_a_wire(change, self.other)


def _over_a_wire(change: ControlChange, rig: Rig) -> None:
    """Encode a change, decode it, and have a rig make it."""
    read = msgspec.msgpack.Decoder(ControlChange).decode(msgspec.msgpack.encode(change))
    for _ in read.apply(rig):
        pass


@pytest.fixture(scope="module")
def told() -> Iterator[ControlServer]:
    """The simulator that is told."""
    with ControlServer(ControlAccess()) as server:
        yield server


@pytest.fixture
def telling(told: ControlServer) -> Iterator[ControlServer]:
    """One that tells it of its changes; both as new."""
    with ControlServer(ControlAccess(), view_of=lambda rig: _Telling(rig, told.rig)) as server:
        told.call("POST", "/api/v1/reset")
        yield server


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_change_is_the_same_in_the_other_copy(
    telling: ControlServer, told: ControlServer, method: str, path: str, body: object
) -> None:
    before = [get(told, f"/api/v1/{each}") for each in VIEWS]
    assert telling.call(method, f"/api/v1/{path}", body).status == 200
    after = [get(told, f"/api/v1/{each}") for each in VIEWS]
    assert after != before
    assert after == [get(telling, f"/api/v1/{each}") for each in VIEWS]


@pytest.mark.parametrize(("method", "path"), TAKEN_BACK)
def test_what_is_taken_back_is_gone_in_the_other_copy(
    telling: ControlServer, told: ControlServer, method: str, path: str
) -> None:
    for each in WRITES:
        telling.call(each[0], f"/api/v1/{each[1]}", each[2])
    before = [get(told, f"/api/v1/{each}") for each in VIEWS]
    assert telling.call(method, f"/api/v1/{path}").status == 200
    after = [get(told, f"/api/v1/{each}") for each in VIEWS]
    assert after != before
    assert after == [get(telling, f"/api/v1/{each}") for each in VIEWS]


def test_one_fault_is_removed_from_the_other_copy_and_the_next_has_the_same_number(
    telling: ControlServer, told: ControlServer
) -> None:
    for delay_ms in (10, 20):
        telling.call("POST", "/api/v1/faults", {"fault": "latency", "options": {"median_ms": delay_ms}})
    assert telling.call("DELETE", "/api/v1/faults/1").status == 200
    telling.call("POST", "/api/v1/faults", {"fault": "latency", "options": {"median_ms": 30}})
    assert [each["id"] for each in get(told, "/api/v1/faults")["faults"]] == [2, 3]


def test_a_fault_counts_connections_from_the_same_one_on(telling: ControlServer, told: ControlServer) -> None:
    telling.on_loop(lambda: setattr(telling.rig.faults, "connections", 7))
    telling.call("POST", "/api/v1/faults", {"fault": "latency", "options": {"median_ms": 9, "from_connection": 2}})
    (fault,) = told.rig.faults
    assert (fault.before, fault.matcher.fits_connection(8), fault.matcher.fits_connection(9)) == (7, False, True)


def test_a_change_that_is_refused_is_not_told(telling: ControlServer, told: ControlServer) -> None:
    before = [get(told, f"/api/v1/{each}") for each in VIEWS]
    assert telling.call("PUT", "/api/v1/clock", {"advance_ms": 253_402_300_799_999}).status == 400
    assert telling.call("DELETE", "/api/v1/faults/99").status == 404
    assert [get(told, f"/api/v1/{each}") for each in VIEWS] == before


def test_notifications_are_forgotten_in_the_other_copy(telling: ControlServer, told: ControlServer) -> None:
    told.record(row(), row())
    assert telling.call("DELETE", "/api/v1/notifications").status == 200
    assert get(told, "/api/v1/notifications")["total"] == 0


def test_observing_begins_at_the_same_instant_and_ends(telling: ControlServer, told: ControlServer) -> None:
    telling.rig.observations.began_s = 0.0
    telling.call("PUT", "/api/v1/observing", {"on": True})
    assert told.rig.observations.on
    assert told.rig.observations.began_s == telling.rig.observations.began_s
    telling.call("PUT", "/api/v1/observing", {"on": False})
    assert not told.rig.observations.on


def test_the_frame_log_begins_forgets_and_ends(telling: ControlServer, told: ControlServer) -> None:
    telling.call("PUT", "/api/v1/frame-log", {"on": True})
    told.rig.frame_log.note(1, "a line")
    assert told.rig.frame_log.lines == 1
    telling.call("PUT", "/api/v1/frame-log", {"on": True})
    assert (told.rig.frame_log.lines, told.rig.frame_log.recent()) == (1, [])
    telling.call("PUT", "/api/v1/frame-log", {"on": False})
    assert not told.rig.frame_log.on


# The front alone needs them: tokens carry what they are, populations are declared in the ledger that is viewed, and no
# scenario is played with several workers.
NOT_TOLD = {"registerDevices", "declarePopulation", "beginRun"}
TOLD = {
    "setState",
    "removeState",
    "changeClock",
    "changeService",
    "changeFcm",
    "addFault",
    "removeFault",
    "removeFaults",
    "changeObserving",
    "changeFrameLog",
    "clearNotifications",
    "startRound",
    "reset",
}


def test_of_every_operation_that_changes_something_it_is_known_whether_others_are_told() -> None:
    changing = {each.operation for each in all_endpoints(bearer=False) if each.method not in ("GET", "HEAD")}
    assert changing == TOLD | NOT_TOLD
