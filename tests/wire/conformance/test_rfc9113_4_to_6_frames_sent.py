"""RFC 9113, sections 4 to 6: what no end may send, whatever the other end has sent it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.conformance.requirement import HTTP2, requirement
from tests.wire.conformance.sent_frames import Audit
from tests.wire.frame_soup import soups
from tests.wire.peers import REQUEST, checked_long, cut, cuts
from wire import frames
from wire.client import ClientConnection
from wire.hpack import stateless_block
from wire.server import ServerConnection

pytestmark = [
    requirement(HTTP2, "3.4", "a potentially empty SETTINGS frame"),
    requirement(HTTP2, "4.1", "Unused flags MUST be"),
    requirement(HTTP2, "4.1", "the bit MUST remain unset"),
    requirement(HTTP2, "4.1", "MUST NOT be sent unless"),
    requirement(HTTP2, "4.3", "Field blocks MUST be transmitted"),
    requirement(HTTP2, "5.1", "An endpoint MUST NOT send frames other than"),
    requirement(HTTP2, "6.1", "DATA frames MUST be associated"),
    requirement(HTTP2, "6.2", "HEADERS frames MUST be associated"),
    requirement(HTTP2, "6.2", "A HEADERS frame without the END_HEADERS"),
    requirement(HTTP2, "6.4", "RST_STREAM frames MUST be associated"),
    requirement(HTTP2, "6.4", "RST_STREAM frames MUST NOT be sent"),
    requirement(HTTP2, "6.5", "When this bit is set"),
    requirement(HTTP2, "6.5", "The stream identifier for a SETTINGS"),
    requirement(HTTP2, "6.5.2", "A server MUST NOT send a PUSH_PROMISE"),
    requirement(HTTP2, "6.6", "PUSH_PROMISE MUST NOT be sent"),
    requirement(HTTP2, "6.7", "PING frames MUST contain"),
    requirement(HTTP2, "6.8", "Endpoints MUST NOT increase"),
    requirement(HTTP2, "6.10", "If the END_HEADERS flag is not set"),
    requirement(HTTP2, "6.10", "CONTINUATION frames MUST be associated"),
    requirement(HTTP2, "6.10", "A CONTINUATION frame MUST be preceded"),
    requirement(HTTP2, "8.1", "Other frames"),
    requirement(HTTP2, "8.4.1", "PUSH_PROMISE frames MUST NOT be sent by the client"),
]


# Of a length that needs CONTINUATION, and a short one.
BLOCKS = (b"\x88", stateless_block([(b":status", b"200"), (b"x", b"v" * 20_000)]))


@settings(checked_long, max_examples=200)
@given(soups(of_client=True), cuts, st.sampled_from(BLOCKS), st.booleans())
def test_whatever_a_client_sends_the_server_sends_only_what_it_may(
    data: bytes, pieces: list[int], block: bytes, says_goodbye: bool
) -> None:
    server, audit = ServerConnection({frames.MAX_CONCURRENT_STREAMS: 4}), Audit()
    server.receive_data(frames.PREFACE + frames.settings_frame({}) + frames.SETTINGS_ACK)
    if says_goodbye:
        server.goaway(last_stream_id=2**31 - 1)
    for piece in cut(data, pieces):
        for message in server.receive_data(piece):
            server.answer(message.stream_id, block, b"answer")
        if says_goodbye and server.failed is None:
            server.goaway()
        audit.read(server.data_to_send())
    assert all(stream_id % 2 and stream_id <= server.last_peer_stream_id for stream_id in audit.reset | audit.opened)


@settings(checked_long, max_examples=200)
@given(soups(of_client=False), cuts, st.booleans())
def test_whatever_a_server_sends_the_client_sends_only_what_it_may(
    data: bytes, pieces: list[int], says_goodbye: bool
) -> None:
    client, audit = ClientConnection(), Audit()
    client.receive_data(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 10}) + frames.SETTINGS_ACK)
    opened = [client.request((*REQUEST, (b"x", b"v" * 9_000 * number)), b"x" * 4 * number) for number in range(4)]
    assert opened == [1, 3, 5, 7]
    audit.read(client.data_to_send())
    for piece in cut(data, pieces):
        client.receive_data(piece)
        if says_goodbye and client.failed is None:
            client.goaway()
        if client.streams_free:
            opened.append(client.request(REQUEST, b"later"))
        audit.read(client.data_to_send())
    assert audit.opened == set(opened)
    assert audit.reset <= set(opened)
