"""What a server's end does when told to for faults, and no server does by itself."""

from tests.wire.peers import REQUEST, data, frames_of, headers, open_server
from wire import frames
from wire.events import StreamRefused
from wire.server import ServerConnection

STREAMS = frames.MAX_CONCURRENT_STREAMS
MORE_THAN_HALF = frames.WINDOW_BYTES_DEFAULT // 2 + 2


def test_limits_may_bind_as_soon_as_they_are_announced() -> None:
    server = ServerConnection({STREAMS: 2})
    server.bind_streams_at_once()
    assert server.streams_in_force == 2
    server.change_settings({STREAMS: 1})
    assert server.streams_in_force == 1
    server.receive_data(frames.PREFACE + frames.settings_frame({}) + headers(1, REQUEST) + headers(3, REQUEST))
    assert StreamRefused(3) in server.take_events()
    server.receive_data(2 * frames.SETTINGS_ACK)
    assert server.streams_in_force == 1


def test_pings_may_stay_without_an_answer() -> None:
    server = open_server()
    server.answers_pings = False
    server.receive_data(frames.ping_frame(b"pushrig!"))
    assert server.data_to_send() == b""
    server.answers_pings = True
    server.receive_data(frames.ping_frame(b"pushrig?"))
    assert server.data_to_send() == frames.ping_frame(b"pushrig?", ack=True)


def test_a_held_window_is_not_opened_and_what_is_missing_comes_at_once_afterwards() -> None:
    server = open_server()
    server.hold_window(True)
    for start in range(0, MORE_THAN_HALF, 10_000):
        server.receive_data(
            (headers(1, REQUEST) if not start else b"") + data(1, b"x" * min(10_000, MORE_THAN_HALF - start))
        )
    assert [each for each in frames_of(server.data_to_send()) if not each.stream_id] == []
    server.hold_window(False)
    assert server.data_to_send() == frames.window_update_frame(0, MORE_THAN_HALF)
    server.hold_window(False)
    assert server.data_to_send() == b""
