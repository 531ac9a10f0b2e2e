"""`/api/v1/faults`: a fault added, listed and removed; then one thing spoiled."""

import pytest

from simulator.faults.engine import FAULTS_MAX
from tests.control.control_server import NOW_MS, ControlServer, get

VALID = {"fault": "reason", "options": {"reason": "TooManyRequests", "retry_after_s": 5, "share_of_requests": 0.25}}


def test_a_fault_is_added_listed_and_removed(control: ControlServer) -> None:
    added = control.call("POST", "/api/v1/faults", VALID)
    assert added.status == 200
    number = added.json["id"]
    assert added.json == {
        "id": number,
        "fault": "reason",
        "options": {
            "reason": "TooManyRequests",
            "retry_after_s": 5,
            "retry_after_form": "seconds",
            "share_of_requests": 0.25,
            "stage": "before_judge",
        },
        "line": "reason reason=TooManyRequests retry_after_s=5 retry_after_form=seconds share_of_requests=0.25 "
        "stage=before_judge",
        "added_at_ms": NOW_MS,
        "played": 0,
    }
    assert get(control, "/api/v1/faults") == {"faults": [added.json]}
    assert control.rig.faults.on_requests
    assert control.call("DELETE", f"/api/v1/faults/{number}").json == {"removed": 1}
    assert get(control, "/api/v1/faults") == {"faults": []}
    assert not control.rig.faults.on_requests
    assert control.call("DELETE", f"/api/v1/faults/{number}").problem == (404, "unknown_fault")


def test_all_faults_are_removed_at_once(control: ControlServer) -> None:
    for _ in range(3):
        control.call("POST", "/api/v1/faults", {"fault": "silent-stream"})
    assert control.call("DELETE", "/api/v1/faults").json == {"removed": 3}
    assert control.call("DELETE", "/api/v1/faults").json == {"removed": 0}


def test_faults_are_bounded_and_the_bound_is_named(control: ControlServer) -> None:
    for _ in range(FAULTS_MAX):
        assert control.call("POST", "/api/v1/faults", {"fault": "silent-stream"}).status == 200
    refused = control.call("POST", "/api/v1/faults", {"fault": "silent-stream"})
    assert refused.problem == (409, "bound_reached")
    assert "FAULTS_MAX" in refused.message


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"fault": "reson", "options": {}}, "did you mean reason"),
        ({"fault": "reason", "options": {}}, "reason is missing"),
        ({"fault": "reason", "options": {"reason": "Tooth"}}, "Tooth"),
        ({"fault": "reason", "options": {"reason": "Shutdown", "shar": 1}}, "'shar'|shar"),
        ({"fault": "latency", "options": {"median_ms": "5"}}, "median_ms=5"),
        ({"fault": "latency", "options": {"median_ms": 5, "share_of_tokens": 1.5}}, "share_of_tokens=1.5"),
        ({"fault": "latency", "options": {"median_ms": 5, "stage": "before_judge"}}, "after_verdict"),
        ({"fault": "latency", "options": []}, "`options` (object whose values are"),
        ({"fault": "latency", "options": {"median_ms": []}}, "options"),
        ({"options": {}}, "fault"),
        ([], "fault"),
    ],
)
def test_a_spoiled_fault_is_refused_by_name(control: ControlServer, body: object, named: str) -> None:
    reply = control.call("POST", "/api/v1/faults", body)
    assert reply.status == 400
    assert any(each in reply.message for each in named.split("|"))
    assert get(control, "/api/v1/faults") == {"faults": []}


@pytest.mark.parametrize("number", ["0", "1", "-1", "x", "9" * 5_000, "%C2%B2"])
def test_a_fault_that_is_not_there_cannot_be_removed(control: ControlServer, number: str) -> None:
    reply = control.call("DELETE", f"/api/v1/faults/{number}")
    assert reply.problem == (404, "unknown_fault")


def test_effects_are_counted_for_prometheus(control: ControlServer) -> None:
    control.call("POST", "/api/v1/faults", {"fault": "silent-stream"})
    control.on_loop(lambda: control.rig.faults.played.update({"silent-stream": 3}))
    text = control.call("GET", "/metrics").content.decode()
    assert 'pushrig_faults_played_total{fault="silent-stream"} 3.0' in text
    assert "pushrig_faults_active 1.0" in text
