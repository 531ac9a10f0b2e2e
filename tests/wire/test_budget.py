"""What a peer may do beside requests (RFC 9113, 10.5): allowances end floods, and the oddest of real senders keep them."""

import pytest

from tests.wire.peers import REQUEST, headers, open_server, request
from wire import frames
from wire.budget import TRUSTING, WORK_TO_FILL, Allowance, Budget, WireLimits
from wire.errors import ErrorCode, RemoteProtocolError
from wire.hpack import stateless_block
from wire.server import ServerConnection

OK = stateless_block([(b":status", b"200")])
LIMITS = WireLimits()


def _answer_all(server: ServerConnection, data: bytes) -> None:
    for each in server.receive_data(data):
        server.answer(each.stream_id, OK)
    server.data_to_send()
    server.take_events()


def _rest_of(budget: Budget, allowance: Allowance) -> int:
    """How much of an allowance is left, found out by spending it."""
    spent = 0
    with pytest.raises(RemoteProtocolError):
        while True:
            budget.spend(allowance)
            spent += 1
    return spent


@pytest.mark.parametrize("allowance", Allowance)
def test_an_allowance_ends_with_calm_and_the_name_of_its_limit(allowance: Allowance) -> None:
    budget, size = Budget(LIMITS), getattr(LIMITS, allowance.limit)
    budget.spend(allowance, size)
    with pytest.raises(RemoteProtocolError, match=allowance.limit) as failed:
        budget.spend(allowance)
    assert (failed.value.code, failed.value.limit) == (ErrorCode.ENHANCE_YOUR_CALM, allowance.limit)
    for other in set(Allowance) - {allowance}:
        budget.spend(other)


@pytest.mark.parametrize("allowance", Allowance)
@pytest.mark.parametrize(("share", "passed_s"), [(0.5, 5.0), (1.0, 10.0), (1.0, 1e9)])
def test_time_fills_an_allowance_and_no_more_than_that(allowance: Allowance, share: float, passed_s: float) -> None:
    budget = Budget(LIMITS)
    size = _rest_of(budget, allowance)
    budget.pass_time(passed_s)
    assert _rest_of(budget, allowance) == int(size * share)


def test_work_fills_an_allowance() -> None:
    budget = Budget(LIMITS)
    size = _rest_of(budget, Allowance.PINGS)
    budget.work += WORK_TO_FILL // 4
    assert _rest_of(budget, Allowance.PINGS) == size // 4


def test_a_client_takes_from_its_server_whatever_comes() -> None:
    budget = Budget(TRUSTING)
    for allowance in Allowance:
        budget.spend(allowance, 10**15)


@pytest.mark.parametrize("end_stream", [True, False])
def test_requests_that_are_reset_fill_nothing(end_stream: bool) -> None:
    server = open_server()
    for at in range(LIMITS.resets_max + 1):
        assert server.failed is None
        stream_id = 2 * at + 1
        server.receive_data(headers(stream_id, REQUEST, end_stream=end_stream) + frames.rst_stream_frame(stream_id, 8))
    assert server.failed is not None and server.failed.limit == "resets_max"


# The oddest of real senders


def test_a_sender_may_time_out_all_its_streams_every_five_seconds() -> None:
    server, stream_id = open_server(), 1
    for _ in range(30):
        opened = range(stream_id, stream_id + 2_000, 2)
        server.receive_data(b"".join(request(each, b"{}") for each in opened))  # and nobody answers
        server.budget.pass_time(5.0)
        server.receive_data(b"".join(frames.rst_stream_frame(each, 8) for each in opened))
        stream_id += 2_000
        server.data_to_send()
        server.take_events()
    assert server.failed is None


def test_a_sender_may_cancel_one_in_twenty_and_ping_and_open_windows_beside_each_request() -> None:
    server = open_server()
    for at in range(20_000):
        stream_id = 2 * at + 1
        data = request(stream_id, b"{}") + frames.ping_frame(b"pushrig!") + 2 * frames.window_update_frame(0, 1)
        _answer_all(server, data + (frames.rst_stream_frame(stream_id, 8) if at % 20 == 0 else b""))
    assert server.failed is None


def test_a_sender_may_ping_every_minute_for_a_year() -> None:
    server = open_server()
    for _ in range(365 * 24 * 60 // 100):
        server.budget.pass_time(60.0 * 100)
        _answer_all(server, 100 * frames.ping_frame(b"pushrig!"))
    assert server.failed is None


def test_a_sender_may_index_every_field_of_every_request() -> None:
    server = open_server()
    literal = b"\x40\x01x"
    for at in range(5_000):
        value = b"%012d" % at
        block = stateless_block(REQUEST) + 12 * (literal + bytes((len(value),)) + value)
        stream_id = 2 * at + 1
        _answer_all(server, frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, stream_id, block))
    assert server.failed is None
