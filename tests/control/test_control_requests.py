"""What holds for every endpoint: unknown paths and methods, spoiled bodies, security headers, defects."""

import http.client

import pytest

from simulator.control.endpoint import BODY_BYTES_MAX, BODY_DRAINED_BYTES_MAX
from simulator.control.problems import SECURITY_HEADERS
from tests.control.control_server import ControlServer, get

JSON = {"Content-Type": "application/json"}


def test_every_answer_carries_the_security_headers(control: ControlServer) -> None:
    for reply in (
        control.call("GET", "/livez"),
        control.call("GET", "/metrics"),
        control.call("GET", "/nowhere"),
        control.call("PUT", "/api/v1/clock"),
        control.call("GET", "/livez", headers={"Host": "evil.example"}),
    ):
        assert {name: reply.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert "server" not in reply.headers


@pytest.mark.parametrize(
    "path", ["/", "/api/v1", "/api/v1/", "/api/v1/stats/", "/api/v1/tokens/a/b", "/api/v2/stats", "//"]
)
def test_an_unknown_path_is_not_found(control: ControlServer, path: str) -> None:
    assert control.call("GET", path).problem == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/v1/stats"), ("DELETE", "/api/v1/clock"), ("OPTIONS", "/api/v1/reset"), ("BREW", "/livez")],
)
def test_a_method_that_a_path_does_not_take_is_refused(control: ControlServer, method: str, path: str) -> None:
    reply = control.call(method, path)
    assert reply.problem == (405, "method_not_allowed")
    assert reply.headers["allow"]


def test_a_head_request_gets_the_headers_alone(control: ControlServer) -> None:
    reply = control.call("HEAD", "/api/v1/stats")
    assert (reply.status, reply.content) == (200, b"")


@pytest.mark.parametrize(
    "raw",
    [b"{", b"\xff", b'{"advance_ms":1}x', b"[" * 60_000, b'{"advance_ms":1e999}', b"null",
     b'{"advance_ms":' + b"9" * 5_000 + b"}"],
)  # fmt: skip
def test_a_body_that_is_no_json_record_is_refused(control: ControlServer, raw: bytes) -> None:
    assert control.call("PUT", "/api/v1/clock", raw=raw, headers=JSON).problem == (400, "invalid_body")


@pytest.mark.parametrize(
    "media_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp", ";"]
)
def test_a_body_that_is_not_declared_as_json_is_refused(control: ControlServer, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    reply = control.call("PUT", "/api/v1/clock", raw=b'{"mode":"freeze"}', headers=headers)
    assert reply.problem == (415, "unsupported_media_type")
    assert get(control, "/api/v1/clock")["mode"] == "real"


def test_an_empty_form_is_refused_too(control: ControlServer) -> None:
    reply = control.call("POST", "/api/v1/reset", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert reply.problem == (415, "unsupported_media_type")


def test_json_may_be_declared_with_parameters_and_in_any_case(control: ControlServer) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert control.call("PUT", "/api/v1/clock", {"mode": "freeze"}, headers).status == 200


@pytest.mark.parametrize("size", [BODY_BYTES_MAX + 1, BODY_DRAINED_BYTES_MAX])
def test_a_body_over_the_bound_is_refused(control: ControlServer, size: int) -> None:
    raw = b'{"mode":"freeze"}'.ljust(size)
    assert control.call("PUT", "/api/v1/clock", raw=raw, headers=JSON).problem == (413, "body_too_large")
    fitting = b'{"mode":"freeze"}'.ljust(BODY_BYTES_MAX)
    assert control.call("PUT", "/api/v1/clock", raw=fitting, headers=JSON).status == 200


def test_an_endless_body_is_cut_off_and_others_are_served_on(control: ControlServer) -> None:
    connection = control.connect()
    connection.putrequest("PUT", "/api/v1/clock")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(2**40))
    connection.endheaders()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(1_000):
            connection.send(b" " * 65_536)
    connection.close()
    assert get(control, "/livez") == {"status": "ok"}


def test_a_body_that_does_not_come_times_out(control: ControlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.control.endpoint.BODY_TIMEOUT_S", 0.01)
    connection = control.connect()
    connection.putrequest("PUT", "/api/v1/clock")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "20")
    connection.endheaders(b"{")
    assert connection.getresponse().status == 408
    connection.close()


def test_a_connection_serves_many_requests(control: ControlServer) -> None:
    connection: http.client.HTTPConnection = control.connect()
    for _ in range(20):
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b'{"status":"ok"}'
    connection.close()


def test_a_defect_is_answered_in_json_and_told_to_the_log(
    control: ControlServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("simulator.journal.Journal.held", property(lambda journal: 1 / 0))
    reply = control.call("GET", "/api/v1/stats")
    assert reply.problem == (500, "internal_error") and "ZeroDivisionError" in reply.message
    for _ in range(100):  # the log comes after the answer, some turns of the event loop later
        control.on_loop(lambda: None)
    assert "ZeroDivisionError" in caplog.text
