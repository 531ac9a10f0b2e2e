"""What an end of a connection says about the bytes it is given, as one record that can be compared with another's."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.wire.peers import REQUEST, cut, frames_of, patterns_at_once, request
from wire import frames
from wire.client import ClientConnection
from wire.events import ConnectionFailed, Event
from wire.request import Fields, Request, whole_fields
from wire.server import ServerConnection

REQUESTS_SENT = 5


@dataclass(frozen=True)
class Story:
    """All that an end has said about the bytes it was given."""

    messages: list[tuple[int, Fields, bytes]]
    events: list[Event]
    failed: str | None
    rest: bytes
    out: bytes


def limited_server(fast: bool) -> ServerConnection:
    """A server that its client has greeted."""
    # A low limit of streams and short bodies, so that their bounds are met as well.
    server = ServerConnection({frames.MAX_CONCURRENT_STREAMS: 4}, fast=fast, body_bytes_max=200)
    server.receive_data(frames.PREFACE + frames.settings_frame({}) + frames.SETTINGS_ACK)
    return server


def limited_client(fast: bool) -> ClientConnection:
    """A client that waits for the answers to REQUESTS_SENT requests."""
    client = ClientConnection(fast=fast, body_bytes_max=200)
    client.receive_data(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 10}) + frames.SETTINGS_ACK)
    for number in range(REQUESTS_SENT):
        client.request(REQUEST, b"x" * 4 * number)  # two of them wait for windows
    return client


def story(
    end: ServerConnection | ClientConnection, data: bytes, pieces: Sequence[int], *, answer: bool = False
) -> Story:
    """Feed bytes to an end, cut into `pieces`, and see that it keeps its own rules. `answer`: a server answers each request."""
    messages: list[tuple[int, Fields, bytes]] = []
    out = [end.data_to_send()]
    for piece in cut(data, pieces):
        with patterns_at_once():
            received: Sequence[Request] = end.receive_data(piece)
        for message in received:
            messages.append((message.stream_id, whole_fields(message, end.varying), message.body))
            if answer and isinstance(end, ServerConnection):
                end.answer(message.stream_id, b"\x88", b"answer")
        out.append(end.data_to_send())
        assert len(end._rest) <= end._announced.frame_bytes_max + frames.FRAME_HEADER_BYTES
    events = end.take_events()
    failures = [event for event in events if isinstance(event, ConnectionFailed)]
    assert [failure.error for failure in failures] == ([end.failed] if end.failed else [])
    written = b"".join(out)
    goaways = [frame for frame in frames_of(written) if frame.kind == frames.GOAWAY]
    assert len(goaways) == len(failures)
    if end.failed:
        assert end.receive_data(request(201)) == []
        assert end.data_to_send() == b""
        assert goaways[0].payload[4:8] == end.failed.code.to_bytes(4)
    # Errors compare by identity, and each end has its own.
    told: list[Event] = [event for event in events if not isinstance(event, ConnectionFailed)]
    return Story(messages, told, str(end.failed) if end.failed else None, end._rest, written)
