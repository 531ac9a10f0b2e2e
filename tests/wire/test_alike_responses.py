"""Answers that differ in stream and values alone are read in runs, and mean what they mean one by one."""

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
step = st.one_of(
    st.tuples(st.just("accepted"), st.integers(1, 12)),
    st.tuples(
        st.sampled_from([*BLOCKS, "rejected", "head alone", "unknown stream", "before", "window", "reset"]),
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
        responses += [Response(stream, head, (None, None), b"") for head, streams in alike for stream in streams]
        found += [(each.stream_id, each.head.fields, each.body) for each in responses]
    error = None if client.failed is None else (client.failed.code, client.failed.message)
    return sorted(found, key=str), error, str(client.take_events()), client.open_streams, client.data_to_send()


@checked_long
@given(st.lists(step, max_size=12), st.lists(st.integers(1, 400), max_size=4))
def test_runs_say_what_the_answers_say_one_by_one(steps: list[tuple[str, int]], sizes: list[int]) -> None:
    whole = bytes_of([("accepted", 2), ("window", 1), *steps])  # so that a run is known
    sizes = [len(ACCEPTED) * 2 + 18, *sizes]
    by_runs, one_by_one = (read(client_with_requests(STREAMS), whole, sizes, runs=runs) for runs in (True, False))
    assert by_runs == one_by_one


def test_answers_that_are_alike_come_in_one_piece_once_the_first_has_been_read() -> None:
    client = client_with_requests(10)
    alike: list[Alike] = []
    assert len(client.receive_data(bytes_of([("accepted", 2)]), alike)) == 2
    rest = bytes_of([("accepted", 10)])[2 * (9 + len(ACCEPTED)) :]
    assert client.receive_data(rest, alike) == []
    (run,) = alike
    assert run.stream_ids == [5, 7, 9, 11, 13, 15, 17, 19]
    assert run.head.value(b":status") == b"200"
    assert client.open_streams == 0


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
