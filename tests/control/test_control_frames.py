"""`/api/v1/frames` and `/api/v1/frame-log`."""

import json
from collections.abc import Iterator

import pytest

from simulator.frame_text import FrameText
from tests.control.control_server import ControlServer


@pytest.fixture
def logging(control: ControlServer) -> Iterator[ControlServer]:
    """A control plane whose rig writes down frames."""
    assert control.call("PUT", "/api/v1/frame-log", {"on": True}).json == {"on": True, "lines": 0, "trouble": None}
    yield control
    control.call("PUT", "/api/v1/frame-log", {"on": False})


def lines(control: ControlServer, query: str = "") -> list[dict[str, object]]:
    reply = control.call("GET", "/api/v1/frames" + query)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in reply.content.splitlines()]


def write(control: ControlServer, connection: int, stream: int) -> None:
    control.on_loop(lambda: control.rig.frame_log.add(connection, "<", [FrameText(stream, "PING")]))


def test_the_log_is_off_until_asked_for(control: ControlServer) -> None:
    assert control.call("GET", "/api/v1/frame-log").json["on"] is False
    write(control, 1, 0)
    assert lines(control) == []


def test_lines_are_asked_for_by_connection_stream_and_number(logging: ControlServer) -> None:
    for connection, stream in ((1, 0), (1, 1), (2, 1), (1, 3)):
        write(logging, connection, stream)
    first = lines(logging)[0]
    assert isinstance(first.pop("at_s"), float)
    assert first == {"number": 1, "connection": 1, "direction": "<", "stream": 0, "text": "PING"}
    assert [each["number"] for each in lines(logging, "?connection=1&stream=3")] == [1, 4]
    assert [each["number"] for each in lines(logging, "?after=1&limit=2")] == [2, 3]
    assert logging.call("GET", "/api/v1/frame-log").json["lines"] == 4


def test_beginning_again_forgets_and_ending_keeps(logging: ControlServer) -> None:
    write(logging, 1, 0)
    assert logging.call("PUT", "/api/v1/frame-log", {"on": True}).json["lines"] == 1
    assert lines(logging) == []
    write(logging, 1, 0)
    assert logging.call("PUT", "/api/v1/frame-log", {"on": False}).json["on"] is False
    assert [each["number"] for each in lines(logging)] == [2]


def test_played_faults_are_among_the_lines(logging: ControlServer) -> None:
    from simulator.faults.engine import Played
    from simulator.faults.fault import Stage

    def play() -> None:
        assert logging.rig.faults.watched is not None
        logging.rig.faults.watched(Played(3, "goaway", Stage.BEFORE_JUDGE, 7, 9))
        logging.rig.faults.watched(Played(4, "handshake", None))

    logging.on_loop(play)
    shown = [(each["connection"], each["stream"], each["direction"], each["text"]) for each in lines(logging)]
    assert shown == [
        (7, 9, "-", "fault 3 plays: goaway before_judge"),
        (0, 0, "-", "fault 4 plays: handshake"),
    ]
