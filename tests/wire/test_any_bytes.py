"""Any bytes at all, cut anywhere: the hot path and the general way say the same, and nothing but values comes out.

Every input ends in messages and events, or in one connection error; no other exception, and no queue without bound.
"""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.wire.frame_soup import soups
from tests.wire.peers import checked_long, cuts, request
from tests.wire.stories import limited_client, limited_server, story
from wire import frames
from wire.client import ClientConnection
from wire.server import ServerConnection


@settings(checked_long, max_examples=250)
@given(soups(of_client=True), cuts, st.booleans())
def test_a_server_reads_the_same_on_the_hot_path_and_the_general_way(
    data: bytes, pieces: list[int], answer: bool
) -> None:
    assert story(limited_server(True), data, pieces, answer=answer) == story(
        limited_server(False), data, pieces, answer=answer
    )


@settings(checked_long, max_examples=250)
@given(soups(of_client=False), cuts)
def test_a_client_reads_the_same_on_the_hot_path_and_the_general_way(data: bytes, pieces: list[int]) -> None:
    assert story(limited_client(True), data, pieces) == story(limited_client(False), data, pieces)


@settings(checked_long, max_examples=200)
@given(soups(of_client=True), cuts)
def test_a_server_reads_the_same_wherever_the_bytes_are_cut(data: bytes, pieces: list[int]) -> None:
    whole, in_pieces = story(limited_server(True), data, []), story(limited_server(True), data, pieces)
    assert whole == in_pieces


@settings(checked_long, max_examples=200)
@given(soups(of_client=False), cuts)
def test_a_client_reads_the_same_wherever_the_bytes_are_cut(data: bytes, pieces: list[int]) -> None:
    whole, in_pieces = story(limited_client(True), data, []), story(limited_client(True), data, pieces)
    assert whole == in_pieces


@checked_long
@given(st.binary(max_size=200), cuts, st.sampled_from([b"", frames.PREFACE, frames.PREFACE[:10]]))
@example(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", [], b"")
@example(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [1], b"")
def test_a_fresh_server_survives_any_bytes(raw: bytes, pieces: list[int], start: bytes) -> None:
    story(ServerConnection(), start + raw, pieces)


@checked_long
@given(st.binary(max_size=200), cuts)
@example(b"HTTP/1.1 400 Bad Request\r\n\r\n", [])
def test_a_fresh_client_survives_any_bytes(raw: bytes, pieces: list[int]) -> None:
    client = ClientConnection()
    client.data_to_send()
    story(client, raw, pieces)


@checked_long
@given(st.integers(0, 12), st.integers(0, 255), st.sampled_from([0, 1, 2, 3, 7, 9, 2**31 - 1]), st.binary(max_size=30))
def test_any_single_frame_is_read_alike_by_both_ways_of_both_ends(
    kind: int, flags: int, stream_id: int, payload: bytes
) -> None:
    frame = frames.frame(kind, flags, stream_id, payload)
    opening = request(1) + request(3)
    assert story(limited_server(True), opening + frame, []) == story(limited_server(False), opening + frame, [])
    assert story(limited_client(True), frame, []) == story(limited_client(False), frame, [])
