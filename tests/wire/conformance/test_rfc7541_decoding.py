"""RFC 7541: what ends the connection at both ends, and what must not."""

import pytest

from tests.wire.conformance.requirement import HPACK, HTTP2, requirement
from tests.wire.peers import REQUEST, frames_of, open_client, open_server
from wire import frames
from wire.errors import ErrorCode
from wire.frames import END_HEADERS, END_STREAM
from wire.hpack import INTEGER_BYTES_MAX, Decoder, Encoder, integer, string

TABLES = 61  # entries of the static table; the dynamic one is empty at the start


def _ends_the_connection(block: bytes) -> None:
    server, client = open_server(), open_client()
    client.request(REQUEST)
    for end in (server, client):
        end.receive_data(frames.frame(frames.HEADERS, END_HEADERS | END_STREAM, 1, block))
        assert end.failed is not None
        assert end.failed.code is ErrorCode.COMPRESSION_ERROR


@requirement(HPACK, "2.3.3", "Indices strictly greater than the sum")
@requirement(HTTP2, "4.3", "A decoding error in a field block")
@pytest.mark.parametrize("index", [TABLES + 1, TABLES + 2, 200, 2**20])
@pytest.mark.parametrize(("mask", "first"), [(0x7F, 0x80), (0x3F, 0x40), (0x0F, 0x00), (0x0F, 0x10)])
def test_an_index_beyond_both_tables_cannot_be_decoded(index: int, mask: int, first: int) -> None:
    _ends_the_connection(integer(index, mask, first) + (b"" if first == 0x80 else string(b"value")))


@requirement(HPACK, "2.3.3", "Indices strictly greater than the sum")
def test_the_last_index_of_the_dynamic_table_can_be_decoded_and_the_next_not() -> None:
    decoder = Decoder()
    for number in range(3):
        decoder.decode(b"\x40" + string(b"name") + string(b"%d" % number))
    assert decoder.decode(integer(TABLES + 3, 0x7F, 0x80)) == [(b"name", b"0")]
    with pytest.raises(ValueError, match="in neither table"):
        decoder.decode(integer(TABLES + 4, 0x7F, 0x80))


@requirement(HPACK, "6.1", "It MUST be treated as a decoding error")
def test_index_0_stands_for_no_field() -> None:
    _ends_the_connection(b"\x80")


@requirement(HPACK, "2.3.2", "duplicate entries MUST NOT be treated")
def test_the_same_field_may_be_put_into_the_table_again_and_again() -> None:
    decoder, block = Decoder(), b"\x40" + string(b"name") + string(b"value")
    for _ in range(3):
        assert decoder.decode(block) == [(b"name", b"value")]
    assert decoder.table_bytes == 3 * (4 + 5 + 32)
    assert decoder.decode(b"\xbe\xbf\xc0") == [(b"name", b"value")] * 3


@requirement(HPACK, "5.1", "Integer encodings that exceed implementation limits")
@pytest.mark.parametrize("first", [b"\xff", b"\x7f", b"\x0f", b"\x1f", b"\x3f", b"\x00\x7f", b"\x00\x01a\xff"])
@pytest.mark.parametrize("rest", [b"\x80" * INTEGER_BYTES_MAX + b"\x00", b"\xff" * 20])
def test_an_integer_beyond_the_limit_cannot_be_decoded(first: bytes, rest: bytes) -> None:
    _ends_the_connection(first + rest)


@requirement(HPACK, "5.2", "A padding strictly longer")
@requirement(HPACK, "5.2", "A padding not corresponding")
@requirement(HPACK, "5.2", "A Huffman-encoded string literal containing")
@pytest.mark.parametrize(
    "text", [b"\x1f\xff", b"\x18", b"\x1e", b"\xff\xff\xff\xff", b"\xff\xff\xff\xfc"], ids=bytes.hex
)
@pytest.mark.parametrize("start", [b"\x00\x01a", b"\x00", b"\x40", b"\x04"], ids=["value", "name", "indexed", "path"])
def test_bad_padding_and_eos_cannot_be_decoded_wherever_they_stand(start: bytes, text: bytes) -> None:
    _ends_the_connection(start + bytes((0x80 | len(text),)) + text + string(b"value"))


@requirement(HPACK, "6.3", "A value that exceeds this limit")
@requirement(HPACK, "6.3", "The new maximum size MUST be")
@pytest.mark.parametrize("size", [4_097, 65_536, 2**30])
def test_a_table_may_not_be_larger_than_was_announced(size: int) -> None:
    _ends_the_connection(integer(size, 0x1F, 0x20) + b"\x82")
    assert Decoder().decode(integer(4_096, 0x1F, 0x20) + b"\x82") == [(b":method", b"GET")]


@requirement(HPACK, "6.3", "The new maximum size MUST be")
@requirement(HPACK, "4.2", "the chosen size MUST stay")
@pytest.mark.parametrize("announced", [0, 100, 4_096, 65_536])
def test_our_encoder_asks_for_no_larger_table_than_its_peer_allows(announced: int) -> None:
    client = open_client(server_settings={frames.HEADER_TABLE_SIZE: announced})
    decoder = Decoder(table_bytes_max=announced)
    decoder.limit_table(announced)
    for _ in range(3):
        client.request((*REQUEST, (b"x", b"v" * 60)))
        (frame,) = frames_of(client.data_to_send())
        assert decoder.decode(frame.payload)[-1] == (b"x", b"v" * 60)
        assert decoder.table_bytes <= min(announced, 4_096)


@requirement(HPACK, "4.2", "This dynamic table size update MUST occur")
def test_a_size_update_stands_at_the_beginning_of_a_block_or_nowhere() -> None:
    _ends_the_connection(b"\x82" + integer(0, 0x1F, 0x20))
    encoder = Encoder()
    encoder.limit_table(10)
    assert encoder.encode([(b":method", b"GET")]) == integer(10, 0x1F, 0x20) + b"\x82"
