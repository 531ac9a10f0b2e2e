"""Prepared requests: the constant prefix is right on every connection, whatever happens to the header table meanwhile."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.peers import REQUEST, checked_long, frames_of, open_client, open_server, replaced, sent
from wire import frames
from wire.client import ClientConnection
from wire.errors import LocalProtocolError
from wire.hpack import Decoder, Encoder, integer
from wire.prepared import PreparedRequest
from wire.request import Fields, Request, whole_fields

SHARED = replaced(REQUEST, path=b"", apns_id=b"")
WITHOUT_ID = SHARED[:5]


def _fields(path: bytes, apns_id: bytes | None, topic: bytes = b"com.example.app") -> Fields:
    return replaced(REQUEST, path=path, apns_id=apns_id, apns_topic=topic)


def _carry(client: ClientConnection) -> list[tuple[Fields, bytes]]:
    """The requests in the client's queue, as a server reads them that has seen nothing before."""
    server = open_server()
    return _read(server.receive_data(client.data_to_send()), server.varying)


def _read(received: Sequence[Request], varying: tuple[bytes, bytes]) -> list[tuple[Fields, bytes]]:
    return [(whole_fields(message, varying), message.body) for message in received]


def test_from_the_second_request_on_the_prefix_is_the_same_and_short() -> None:
    client = open_client()
    prepared = client.prepare(SHARED)
    for number in range(4):
        client.send(prepared, b"/3/device/%d" % number, b"id-%d" % number, b"{}")
    blocks = [frame.payload for frame in sent(client, frames.HEADERS)]
    assert blocks[1][:-1] == blocks[2][:-1].replace(b"/2", b"/1").replace(b"id-2", b"id-1")
    assert len(blocks[1]) < len(blocks[0]) - 20


def test_a_server_reads_what_was_sent() -> None:
    client = open_client()
    prepared, without = client.prepare(SHARED), client.prepare(WITHOUT_ID)
    for number in range(3):
        client.send(prepared, b"/%d" % number, b"id", b"{}")
        client.send(without, b"/%d" % number, None, b"")
    expected = []
    for number in range(3):
        expected += [(_fields(b"/%d" % number, b"id"), b"{}"), (_fields(b"/%d" % number, None), b"")]
    assert _carry(client) == expected


@pytest.mark.parametrize("size", [126, 127, 128, 300])
def test_values_of_any_length_are_sent_whole(size: int) -> None:
    client = open_client()
    client.send(client.prepare(SHARED), b"/" * size, b"i", b"{}")
    client.send(client.prepare(SHARED), b"/", b"i" * size, b"{}")
    client.send(client.prepare(WITHOUT_ID), b"/" * size, None, b"{}")
    assert [fields for fields, _ in _carry(client)] == [
        _fields(b"/" * size, b"i"),
        _fields(b"/", b"i" * size),
        _fields(b"/" * size, None),
    ]


def test_lengths_of_values_may_change_from_one_request_to_the_next() -> None:
    client = open_client()
    both, alone = client.prepare(SHARED), client.prepare(WITHOUT_ID)
    lengths = [(5, 5), (5, 5), (6, 5), (6, 7), (127, 7), (7, 127), (7, 300), (5, 5), (20_000, 5), (5, 5)]
    for first, second in lengths:
        client.send(both, b"/" * first, b"i" * second, b"{}")
        client.send(alone, b"/" * first, None, b"{}")
    assert [fields for fields, _ in _carry(client)] == [
        _fields(b"/" * first, value) for first, second in lengths for value in (b"i" * second, None)
    ]


@checked_long
@given(
    st.lists(
        st.tuples(
            st.sampled_from([5, 5, 5, 6, 127, 20_000]),
            st.sampled_from([4, 4, 4, 300]),
            st.sampled_from([0, 9, 9, 16_000, 16_000, 40_000]),
        ),
        max_size=12,
    )
)
def test_many_requests_at_once_are_the_same_bytes_as_one_by_one(lengths: list[tuple[int, int, int]]) -> None:
    requests = [(b"/" * first, b"i" * second, b"x" * size) for first, second, size in lengths]
    at_once, one_by_one = open_client(), open_client()
    at_once.send_all(at_once.prepare(SHARED), requests)
    prepared = one_by_one.prepare(SHARED)
    stream_ids = [one_by_one.send(prepared, *each) for each in requests]
    assert stream_ids == list(range(1, 1 + 2 * len(requests), 2))
    assert at_once.data_to_send() == one_by_one.data_to_send()
    assert at_once.outbound_window == max(0, frames.WINDOW_BYTES_DEFAULT - sum(len(body) for *_, body in requests))


def test_more_requests_than_streams_are_free_are_not_sent_at_all() -> None:
    client = open_client(server_settings={frames.MAX_CONCURRENT_STREAMS: 2})
    prepared, each = client.prepare(SHARED), (b"/", b"i", b"{}")
    with pytest.raises(LocalProtocolError, match="no stream is free"):
        client.send_all(prepared, [each] * 3)
    assert (client.data_to_send(), client.open_streams) == (b"", 0)
    assert client.send_all(prepared, [each] * 2) == 1
    assert client.open_streams == 2


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 65_535, 65_536])
def test_bodies_of_any_length_are_sent_as_windows_allow(size: int) -> None:
    client, server = open_client(), open_server()
    client.send(client.prepare(SHARED), b"/", b"i", bytes(size))
    received = []
    while data := client.data_to_send():
        received += _read(server.receive_data(data), server.varying)
        client.receive_data(server.data_to_send())
    assert received == [(_fields(b"/", b"i"), bytes(size))]


@pytest.mark.parametrize(
    "fields",
    [
        SHARED[:3],
        (*SHARED, (b"apns-id", b"")),
        (*SHARED, (b":path", b"")),
        (*SHARED[:3], SHARED[5], SHARED[3]),
        (SHARED[5], *SHARED[:3]),
    ],
)
def test_fields_without_their_varying_names_in_order_cannot_be_prepared(fields: Fields) -> None:
    with pytest.raises(LocalProtocolError, match="in this order"):
        open_client().prepare(fields)


@pytest.mark.parametrize(("fields", "second"), [(SHARED, None), (WITHOUT_ID, b"id")])
def test_the_second_value_is_given_where_it_was_prepared_and_only_there(fields: Fields, second: bytes | None) -> None:
    client = open_client()
    prepared = client.prepare(fields)
    with pytest.raises(LocalProtocolError, match="apns-id"):
        client.send(prepared, b"/", second, b"{}")
    assert client.data_to_send() == b""
    # Nothing was sent, so nothing stands in the table either.
    client.send(prepared, b"/", b"id" if second is None else None, b"{}")
    assert [fields for fields, _ in _carry(client)] == [_fields(b"/", b"id" if second is None else None)]


@pytest.mark.parametrize("method", [b"HEAD", b"CONNECT"])
def test_a_client_sends_no(method: bytes) -> None:
    client = open_client()
    with pytest.raises(LocalProtocolError, match="neither HEAD nor CONNECT"):
        client.request(replaced(REQUEST, method=method))
    assert client.data_to_send() == b""


@pytest.mark.parametrize("size", [0, 40, 150, 4_096])
def test_a_table_size_changed_in_flight_is_confirmed_and_the_prefix_made_anew(size: int) -> None:
    client = open_client()
    prepared, decoder = client.prepare(SHARED), Decoder()
    for number in range(6):
        if number == 3:
            client.receive_data(frames.settings_frame({frames.HEADER_TABLE_SIZE: size}))
            decoder.limit_table(size)
        client.send(prepared, b"/%d" % number, b"id", b"{}")
        (block,) = [frame.payload for frame in frames_of(client.data_to_send()) if frame.kind == frames.HEADERS]
        assert tuple(decoder.decode(block)) == _fields(b"/%d" % number, b"id")
        assert decoder.table_bytes <= size if number >= 3 else decoder.table_bytes > 0


def test_a_table_size_is_confirmed_in_one_block_and_not_in_those_that_follow() -> None:
    client = open_client(server_settings={frames.HEADER_TABLE_SIZE: 0})
    prepared = client.prepare(SHARED)
    for number in range(3):
        client.send(prepared, b"/%d" % number, b"id", b"{}")
    blocks = [frame.payload for frame in sent(client, frames.HEADERS)]
    assert [block.startswith(integer(0, 0x1F, 0x20)) for block in blocks] == [True, False, False]


def test_a_prepared_request_is_right_on_a_connection_that_did_not_make_it() -> None:
    first, second = open_client(), open_client()
    prepared = first.prepare(SHARED)
    for number in range(3):
        for client in (first, second):
            client.send(prepared, b"/%d" % number, b"id", b"{}")
    expected = [(_fields(b"/%d" % number, b"id"), b"{}") for number in range(3)]
    assert _carry(first) == expected
    assert _carry(second) == expected


@checked_long
@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(0, 3), st.binary(min_size=1, max_size=3).map(bytes.hex)),
            st.sampled_from([0, 50, 100, 150, 4_096]),
        ),
        max_size=25,
    ),
    st.booleans(),
)
def test_prepared_requests_between_all_that_moves_the_table_say_what_was_meant(
    steps: list[tuple[int, str] | int], coded: bool
) -> None:
    client = open_client()
    client._encoder = Encoder(coded=coded, unindexed=client.request_varying)
    decoder = Decoder()
    topics = [b"com.example.%d" % number for number in range(3)]
    prepared: list[PreparedRequest] = [client.prepare(replaced(SHARED, apns_topic=topic)) for topic in topics]
    for step in steps:
        if isinstance(step, int):
            client.receive_data(frames.settings_frame({frames.HEADER_TABLE_SIZE: step}))
            client.data_to_send()
            decoder.limit_table(step)
            continue
        which, value = step
        path, expected = value.encode(), _fields(value.encode(), b"id")
        if which == 3:
            client.request((*expected, (b"x", path)))
            expected = (*expected, (b"x", path))
        else:
            client.send(prepared[which], path, b"id", b"")
            expected = _fields(path, b"id", topics[which])
        (frame,) = sent(client, frames.HEADERS)
        assert tuple(decoder.decode(frame.payload)) == expected
