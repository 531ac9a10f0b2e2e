"""`/api/v1/observations` and `/api/v1/observing`."""

import json
from collections.abc import Iterator

import pytest

from simulator.observation_records import Accepted
from tests.control.control_server import ControlServer, row


@pytest.fixture
def observing(control: ControlServer) -> Iterator[ControlServer]:
    """A control plane whose rig keeps observations."""
    assert control.call("PUT", "/api/v1/observing", {"on": True}).json["kept"] == 0
    yield control
    control.call("PUT", "/api/v1/observing", {"on": False})


def lines(control: ControlServer, query: str = "") -> list[dict[str, object]]:
    reply = control.call("GET", "/api/v1/observations" + query)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in reply.content.splitlines()]


def test_observing_is_off_until_asked_for(control: ControlServer) -> None:
    shown = control.call("GET", "/api/v1/observing").json
    assert (shown["on"], shown["missed"]) == (False, 0)
    control.on_loop(lambda: control.rig.observations.record(Accepted(at_s=0.0, peer="")))
    assert lines(control) == []


def test_records_are_lines_of_json_with_number_and_kind(observing: ControlServer) -> None:
    observing.on_loop(lambda: observing.rig.observations.record(Accepted(at_s=1.5, peer="127.0.0.1:9")))
    observing.on_loop(lambda: observing.rig.journal.append(row(token=b"ab")))
    accepted, verdict = lines(observing)
    assert accepted == {"number": 1, "kind": "accepted", "at_s": 1.5, "peer": "127.0.0.1:9"}
    assert (verdict["number"], verdict["kind"], verdict["token"]) == (2, "verdict", "ab")


def test_pages_are_asked_for_by_the_last_number_that_is_known(observing: ControlServer) -> None:

    def record() -> None:
        for at_s in range(250):
            observing.rig.observations.record(Accepted(at_s=at_s, peer=""))

    observing.on_loop(record)
    assert [each["number"] for each in lines(observing, "?limit=3")] == [1, 2, 3]
    assert [each["number"] for each in lines(observing, "?after=248")] == [249, 250]
    assert [each["at_s"] for each in lines(observing)] == list(range(250))
    assert lines(observing, "?after=250") == []
    assert observing.call("GET", "/api/v1/observing").json["kept"] == 250


def test_a_new_beginning_forgets(observing: ControlServer) -> None:
    observing.on_loop(lambda: observing.rig.observations.record(Accepted(at_s=0, peer="")))
    assert observing.call("PUT", "/api/v1/observing", {"on": True}).json["kept"] == 0
    assert lines(observing) == []


@pytest.mark.parametrize("query", ["?limit=0", "?limit=10001", "?after=-1", "?before=3"])
def test_what_is_no_page_is_refused(control: ControlServer, query: str) -> None:
    assert control.call("GET", "/api/v1/observations" + query).status == 400
