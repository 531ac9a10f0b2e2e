"""Whole exchanges between `wire` and the referee `h2`, from both ends, and of `wire` with itself.

Any valid headers, bodies against small windows, several streams at once, padding, trailers, SETTINGS that change on the way,
and bytes cut anywhere: what arrives is what was sent, and nothing is left over.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.wire.ends import Message, OurClient, OurServer, RefereeClient, RefereeServer, join
from tests.wire.peers import apns_ids, checked, cuts, field_lists, paths, request_fields
from wire import frames
from wire.hpack import Encoder
from wire.request import Fields

Settings = dict[int, int]


@dataclass(frozen=True)
class Plan:
    """One exchange: who announces what, which requests meet which answers, and how the bytes are cut."""

    client_settings: Settings
    server_settings: Settings
    exchanges: list[tuple[Message, Message]]
    changes: list[tuple[bool, Settings]]
    encoder: Callable[[], Encoder]
    piece_bytes_max: int
    pieces: list[int]
    fast: bool


WINDOW_UPDATES_MAX = 5_000  # of one plan, far below the rounds that `join` waits for its end

bodies = st.one_of(st.integers(0, 200), st.integers(0, 1_500), st.sampled_from([16_384, 16_385, 40_000])).map(
    lambda size: bytes(at * 7 & 0xFF for at in range(size))
)
trailers = st.one_of(st.just(()), field_lists)
paddings = st.one_of(st.just(0), st.integers(1, 255))


@st.composite
def _requests(draw: st.DrawFn, others: st.SearchStrategy[Fields]) -> Message:
    fields = request_fields(draw(paths), draw(apns_ids), draw(others))
    body = draw(bodies)
    if draw(st.booleans()):
        fields = (*fields, (b"content-length", b"%d" % len(body)))
    return Message(fields, body, draw(trailers), draw(paddings), prepared=draw(st.booleans()))


@st.composite
def _answers(draw: st.DrawFn, others: st.SearchStrategy[Fields]) -> Message:
    status = (b":status", draw(st.sampled_from([b"200", b"400", b"410", b"503"])))
    apns_id = draw(apns_ids)
    tail = () if apns_id is None else ((b"apns-id", apns_id),)
    fields = (status, *tail, *draw(others))
    return Message(fields, draw(bodies), draw(trailers), draw(paddings), interim=draw(st.booleans()))


def _announced(window_min: int) -> st.SearchStrategy[Settings]:
    return st.fixed_dictionaries(
        {},
        optional={
            frames.HEADER_TABLE_SIZE: st.sampled_from([0, 64, 300, 4_096, 8_192]),
            frames.INITIAL_WINDOW_SIZE: st.sampled_from([window_min, 2_000, 65_535, 200_000]),
            frames.MAX_FRAME_SIZE: st.sampled_from([16_384, 20_000, 100_000]),
        },
    )


def _without_repeated_table_sizes(
    first: tuple[Settings, Settings], changes: list[tuple[bool, Settings]]
) -> list[tuple[bool, Settings]]:
    """Told the same table size twice before its next block, the referee forgets to confirm it: spare it that."""
    sizes = {of_client: announced.get(frames.HEADER_TABLE_SIZE, 4_096) for of_client, announced in enumerate(first)}
    kept = []
    for of_client, changed in changes:
        size = changed.get(frames.HEADER_TABLE_SIZE)
        if size == sizes[of_client]:
            changed = {code: value for code, value in changed.items() if code != frames.HEADER_TABLE_SIZE}
        sizes[of_client] = sizes[of_client] if size is None else size
        kept.append((of_client, changed))
    return kept


def _window_updates(plan: Plan) -> int:
    """How many updates the narrowest window asks for at most: each takes a round."""
    announced = [plan.client_settings, plan.server_settings, *(changed for _, changed in plan.changes)]
    narrowest = min(each.get(frames.INITIAL_WINDOW_SIZE, 65_535) for each in announced)
    return sum(len(message.body) // narrowest for exchange in plan.exchanges for message in exchange)


@st.composite
def plans(draw: st.DrawFn, window_min: int) -> Plan:
    # A padded frame needs room for its padding: where there is padding, windows are wider than it.
    streams = st.sampled_from([1, 2, 5, 100])
    announced = _announced(window_min)
    coded, unindexed = draw(st.booleans()), draw(st.sampled_from([(b":path", b"apns-id"), (), (b"authorization",)]))
    # Few heads, so that later messages meet what earlier ones left in tables, layouts and prepared requests.
    others = st.sampled_from(draw(st.lists(field_lists, min_size=1, max_size=2)))
    client_settings, server_settings = draw(announced), draw(announced)
    changes = draw(st.lists(st.tuples(st.booleans(), announced.filter(bool)), max_size=4))
    plan = Plan(
        client_settings=client_settings,
        server_settings={**server_settings, frames.MAX_CONCURRENT_STREAMS: draw(streams)},
        exchanges=draw(st.lists(st.tuples(_requests(others), _answers(others)), min_size=1, max_size=8)),
        changes=_without_repeated_table_sizes((server_settings, client_settings), changes),
        encoder=lambda: Encoder(coded=coded, unindexed=unindexed),
        piece_bytes_max=draw(st.sampled_from([50, 1_000, 100_000])),
        pieces=draw(cuts),
        fast=draw(st.booleans()),
    )
    assume(_window_updates(plan) <= WINDOW_UPDATES_MAX)  # more would be the same again
    return plan


def _our_client(plan: Plan) -> OurClient:
    requests = [request for request, _ in plan.exchanges]
    return OurClient(plan.client_settings, requests, plan.encoder(), plan.fast)


def _our_server(plan: Plan) -> OurServer:
    return OurServer(plan.server_settings, [answer for _, answer in plan.exchanges], plan.fast)


def _check(client: OurClient | RefereeClient, server: OurServer | RefereeServer, plan: Plan) -> None:
    join(client, server, plan.pieces, plan.changes)
    for number, (request, answer) in enumerate(plan.exchanges):
        assert server.requests[number] == (request.fields, request.body)
        assert client.answers[number] == (answer.fields, answer.body)
    for end in (client, server):
        if isinstance(end, OurClient | OurServer):
            connection = end.connection
            assert connection.open_streams == 0
            assert not connection._rest
            assert not connection._receiving
            assert not connection._sending
            assert not connection._reset
            assert connection.local.frame_bytes_max == connection._announced.frame_bytes_max


@settings(checked, max_examples=60)
@given(plans(window_min=300))
def test_a_client_of_h2_and_our_server_understand_each_other(plan: Plan) -> None:
    requests = [request for request, _ in plan.exchanges]
    _check(RefereeClient(plan.client_settings, requests, plan.piece_bytes_max), _our_server(plan), plan)


@settings(checked, max_examples=60)
@given(plans(window_min=300))
def test_our_client_and_a_server_of_h2_understand_each_other(plan: Plan) -> None:
    answers = [answer for _, answer in plan.exchanges]
    _check(_our_client(plan), RefereeServer(plan.server_settings, answers, plan.piece_bytes_max), plan)


@settings(checked, max_examples=60)
@given(plans(window_min=10))
def test_our_client_and_our_server_understand_each_other(plan: Plan) -> None:
    _check(_our_client(plan), _our_server(plan), plan)


@pytest.mark.parametrize("window_bytes", [1, 2, 3])
@pytest.mark.parametrize("ours", ["client", "server", "both"])
def test_windows_of_single_bytes_are_opened_again_until_all_has_come(window_bytes: int, ours: str) -> None:
    announced = {frames.INITIAL_WINDOW_SIZE: window_bytes}
    message = Message(request_fields(b"/3/device/00", None, ()), b"body")
    answer = Message(((b":status", b"400"),), b'{"reason":"BadTopic"}')
    plan = Plan(announced, announced, [(message, answer)], [], Encoder, 100, [], True)
    client = _our_client(plan) if ours != "server" else RefereeClient(announced, [message], 100)
    server = _our_server(plan) if ours != "client" else RefereeServer(announced, [answer], 100)
    _check(client, server, plan)
