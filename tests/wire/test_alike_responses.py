"""Answers that differ in stream and values alone are read in runs, and mean what they mean one by one."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.peers import REQUEST, checked_long, cut, data, headers, open_client
from wire import frames
from wire.client import Alike, ClientConnection
from wire.hpack import Encoder, literal_name, stateless_block, string
from wire.patterns import RUN_BLOCK_BYTES_MAX
from wire.request import Response

STREAMS = 40
ID = b"eabeae54-14a8-11e5-b60b-1697f925ec7b"
ACCEPTED = b"\x88" + literal_name(b"apns-id") + string(ID)
UNIQUE = literal_name(b"apns-unique-id") + string(ID)
# Header blocks of answers, and what is wrong with some of them: a number stands for a place where a digit goes.
BLOCKS = {
    "accepted": ACCEPTED[:-1] + b"%d",
    "accepted in the sandbox": ACCEPTED[:-1] + b"%d" + UNIQUE[:-1] + b"%d",
    "without id": b"\x88",
    "rejected without body": b"\x8c" + ACCEPTED[1:-1] + b"%d",
    "a shorter id": b"\x88" + literal_name(b"apns-id") + string(ID[:6])[:-1] + b"%d",
    "a line feed within the id": ACCEPTED[:-2] + b"\n%d",
    "an id that begins with a blank": ACCEPTED.replace(ID, b" " + ID[1:])[:-1] + b"%d",
    "a NUL at the end of the id": ACCEPTED[:-2] + b"%d\x00",
    "an id that goes into the table": b"\x88" + b"\x40" + literal_name(b"apns-id")[1:] + string(ID)[:-1] + b"%d",
    "an id out of the table": b"\x88\xbe",
    "a coded id": b"\x88" + literal_name(b"apns-id") + string(b"0" * 20, coded=True),
    "no status": ACCEPTED[1:-1] + b"%d",
    "an informational status": stateless_block([(b":status", b"100")]) + ACCEPTED[1:-1] + b"%d",
    "another length than it says": ACCEPTED[:-2] + b"%d",
}
# Bodies, whether they end the stream, and on how much higher a stream they come.
BODIES = {
    "with body": (b'{"name":"%d"}', True, 0),
    "with a longer body": (b'{"name":"%d%d"}', True, 0),
    "with an empty body": (b"", True, 0),
    "with a body that goes on": (b'{"name":"%d"}', False, 0),
    "with a body of another stream": (b'{"name":"%d"}', True, 2),
}
step = st.one_of(
    st.tuples(st.sampled_from(["accepted", "with body"]), st.integers(1, 12)),
    st.tuples(
        st.sampled_from(
            [
                *BLOCKS,
                *BODIES,
                "with a content-length",
                "rejected",
                "head alone",
                "unknown stream",
                "before",
                "window",
                "reset",
            ]
        ),
        st.integers(1, 3),
    ),
)


def client_with_requests(count: int) -> ClientConnection:
    client = open_client(server_settings={frames.MAX_CONCURRENT_STREAMS: count})
    for _ in range(count):
        client.request(REQUEST)
    client.data_to_send()
    return client


def bytes_of(steps: list[tuple[str, int]]) -> bytes:
    """Answers to streams 1, 3, 5, ... as the steps say."""
    out, stream_id = [], 1
    for what, count in steps:
        for number in range(count):
            if what == "window":
                out.append(frames.window_update_frame(0, 1))
            elif what == "reset":
                out.append(frames.rst_stream_frame(stream_id, 7))
            elif what in BODIES:
                body, end, elsewhere = BODIES[what]
                out.append(
                    frames.frame(frames.HEADERS, 4, stream_id, BLOCKS["accepted"].replace(b"%d", b"%d" % (number % 10)))
                )
                out.append(data(stream_id + elsewhere, body.replace(b"%d", b"%d" % (number % 10)), end_stream=end))
            elif what == "with a content-length":
                out.append(headers(stream_id, [(b":status", b"200"), (b"content-length", b"9")]))
                out.append(data(stream_id, b'{"name"}%d' % (number % 10), end_stream=True))
            elif what == "rejected":
                out.append(headers(stream_id, [(b":status", b"400")]) + data(stream_id, b"{}", end_stream=True))
            elif what == "head alone":
                out.append(headers(stream_id, [(b":status", b"400")]))
            else:
                block = BLOCKS.get(what, BLOCKS["accepted"]).replace(b"%d", b"%d" % (number % 10))
                stream = {"unknown stream": 2 * STREAMS + 99, "before": max(1, stream_id - 4)}.get(what, stream_id)
                out.append(frames.frame(frames.HEADERS, 5, stream, block))
            stream_id += 0 if what == "window" else 2
    return b"".join(out)


def read(client: ClientConnection, whole: bytes, sizes: list[int], *, runs: bool) -> tuple[object, ...]:
    """All that a client makes of some bytes, but for varying values and the order of messages."""
    found: list[tuple[int, object, bytes]] = []
    for piece in cut(whole, sizes):
        alike: list[Alike] = []
        responses = client.receive_data(piece, alike if runs else None)
        for head, streams, bodies in alike:
            responses += [
                Response(stream, head, (None, None), body)
                for stream, body in zip(streams, bodies or [b""] * len(streams), strict=True)
            ]
        found += [(each.stream_id, each.head.fields, each.body) for each in responses]
    error = None if client.failed is None else (client.failed.code, client.failed.message)
    return sorted(found, key=str), error, str(client.take_events()), client.open_streams, client.data_to_send()


@checked_long
@given(
    st.sampled_from(["accepted", "with body"]), st.lists(step, max_size=12), st.lists(st.integers(1, 400), max_size=4)
)
def test_runs_say_what_the_answers_say_one_by_one(known: str, steps: list[tuple[str, int]], sizes: list[int]) -> None:
    start = bytes_of([(known, 2)])  # so that a run is known
    whole, sizes = bytes_of([(known, 2), ("window", 1), (known, 1), *steps]), [len(start), *sizes]
    by_runs, one_by_one = (read(client_with_requests(STREAMS), whole, sizes, runs=runs) for runs in (True, False))
    assert by_runs == one_by_one


@pytest.mark.parametrize("what", ["accepted", "with body"])
def test_answers_that_are_alike_come_in_one_piece_once_the_first_has_been_read(what: str) -> None:
    client = client_with_requests(10)
    alike: list[Alike] = []
    start = bytes_of([(what, 2)])
    assert len(client.receive_data(start, alike)) == 2
    rest = bytes_of([(what, 10)])[len(start) :]
    window = client.inbound_window
    assert client.receive_data(rest, alike) == []
    (run,) = alike
    assert run.stream_ids == [5, 7, 9, 11, 13, 15, 17, 19]
    assert run.head.value(b":status") == b"200"
    bodies = [b'{"name":"%d"}' % number for number in range(2, 10)] if what == "with body" else []
    assert run.bodies == bodies
    assert (client.open_streams, window - client.inbound_window) == (0, sum(map(len, bodies)))


@pytest.mark.parametrize("head_and_trailers", ["in one read", "in two"])
def test_a_run_ends_before_the_trailers_of_an_answer_whose_body_is_to_come(head_and_trailers: str) -> None:
    begun = [("accepted", 2), ("window", 1), ("accepted", 2), ("head alone", 1)]
    whole = bytes_of([*begun, ("accepted", 1), ("before", 1)])
    learnt = len(bytes_of(begun[:1]))
    sizes = [learnt, len(bytes_of(begun)) - learnt if head_and_trailers == "in two" else 1_000, 1_000]
    by_runs, one_by_one = (read(client_with_requests(STREAMS), whole, sizes, runs=runs) for runs in (True, False))
    assert by_runs == one_by_one
    assert by_runs[1] is None and "StreamReset" in str(by_runs[2])


def test_a_run_ends_where_the_name_of_its_values_has_become_another() -> None:
    into_table, by_index = b"\x88\x40", b"\x88\x0f\x2f" + string(ID)  # a literal whose name is the newest of the table
    blocks = [into_table + literal_name(b"apns-id")[1:] + string(ID), by_index, by_index, by_index]
    blocks += [into_table + string(b"server") + string(b"one"), by_index, by_index[:-1] + b"0"]
    answers = [frames.frame(frames.HEADERS, 5, 2 * at + 1, block) for at, block in enumerate(blocks)]
    sizes = [len(b"".join(answers[:2])), len(b"".join(answers[2:5])), 1_000]
    by_runs, one_by_one = (
        read(client_with_requests(STREAMS), b"".join(answers), sizes, runs=runs) for runs in (True, False)
    )
    assert by_runs == one_by_one
    assert by_runs[1] is None


def test_a_run_ends_where_a_table_that_has_changed_gives_an_index_another_meaning() -> None:
    server = Encoder(unindexed=(b"apns-id",))
    client = client_with_requests(9)
    found: list[tuple[int, bytes | None]] = []
    for at, server_name in enumerate([b"one", b"one", b"one", b"two", b"two", b"three", b"one", b"one"]):
        # Each new name takes the index that the last one had: the blocks of all are the same bytes from then on.
        block = server.encode([(b":status", b"200"), (b"server", server_name), (b"apns-id", ID)])
        alike: list[Alike] = []
        responses = client.receive_data(frames.frame(frames.HEADERS, 5, 2 * at + 1, block), alike)
        heads = [each.head for each in responses] + [run.head for run in alike]
        found += [(at, head.value(b"server")) for head in heads]
    names = [b"one", b"one", b"one", b"two", b"two", b"three", b"one", b"one"]
    assert found == list(enumerate(names))


def test_a_block_longer_than_patterns_are_made_of_is_read_one_by_one() -> None:
    client = client_with_requests(9)
    block = b"\x88" + b"\x90" * (RUN_BLOCK_BYTES_MAX - len(ACCEPTED)) + ACCEPTED[1:]
    for longer, in_runs in ((b"", 2), (b"\x90", 0)):
        frame = block[:1] + longer + block[1:]
        alike: list[Alike] = []
        count = 0
        for _ in range(2):
            first = 2 * (9 - client.open_streams) + 1
            whole = b"".join(frames.frame(frames.HEADERS, 5, first + 2 * number, frame) for number in range(2))
            count += len(client.receive_data(whole, alike))
        assert (sum(len(run.stream_ids) for run in alike), count) == (in_runs, 4 - in_runs)


def both_ways(pieces: list[bytes], prepare: Callable[[ClientConnection], None] = lambda client: None) -> None:
    """The pieces mean the same in runs, which the first of them makes known, and one by one."""
    told = []
    for runs in (True, False):
        client = client_with_requests(STREAMS)
        first = read(client, pieces[0], [], runs=runs)
        prepare(client)
        told.append((first, [read(client, piece, [], runs=runs) for piece in pieces[1:]]))
    assert told[0] == told[1]


@pytest.mark.parametrize("what", ["accepted", "with body"])
def test_a_run_ends_before_a_stream_that_waits_for_no_answer(what: str) -> None:
    start = bytes_of([(what, 2)])
    later = bytes_of([(what, 9)])[len(start) :]
    size = len(start) // 2
    for place in range(4):
        again = start[:size]  # stream 1, which is closed
        both_ways([start, later[: place * size] + again + later[place * size :]])


def test_a_body_over_a_window_that_has_shrunk_is_refused_in_a_run_too() -> None:
    def shrink(client: ClientConnection) -> None:
        client.change_settings({frames.INITIAL_WINDOW_SIZE: 5})
        client.receive_data(frames.SETTINGS_ACK)

    start = bytes_of([("with body", 2)])
    both_ways([start, bytes_of([("with body", 5)])[len(start) :]], shrink)


def test_a_run_is_not_made_of_the_head_of_one_answer_and_the_body_of_another() -> None:
    plain, counted = [(b":status", b"200")], [(b":status", b"200"), (b"content-length", b"9")]
    start = headers(1, plain) + headers(3, counted) + data(1, b"x" * 12, end_stream=True)
    rest = data(3, b"x" * 9, end_stream=True)
    later = b"".join(headers(each, counted) + data(each, b"x" * 12, end_stream=True) for each in (5, 7, 9))
    both_ways([start + rest[:4], rest[4:], later])
    both_ways([start, rest + later])
