"""RFC 9113, section 5.1: the tables of `wire.states` say of every step what both ends do with a stream."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.conformance.requirement import HTTP2, requirement
from tests.wire.peers import REQUEST, RESPONSE, checked_long, data, headers, open_client, open_server
from wire import frames
from wire.client import ClientConnection
from wire.events import StreamRefused, StreamReset
from wire.server import ServerConnection
from wire.states import ARRIVALS, TRANSITIONS, Fate, State, Step, after

TRAILERS = ((b"checksum", b"1"),)
OK = b"\x88"


def _arrives(
    end: ServerConnection | ClientConnection, state: State, kind: int, steps: Sequence[Step], arrived: bytes
) -> State | None:
    """Let a frame arrive on stream 1, which is in `state`. Returns the state behind it, None when the connection failed."""
    end.receive_data(arrived)
    fate = ARRIVALS[state][kind]
    resets = [event for event in end.take_events() if isinstance(event, StreamReset) and event.local]
    if fate.connection:
        assert end.failed is not None
        assert end.failed.code is fate.code
        return None
    assert end.failed is None
    if fate is Fate.STREAM_CLOSED:
        assert [(event.stream_id, event.code) for event in resets] == [(1, fate.code)]
        return after(state, Step.SEND_RESET)
    assert resets == []
    return after(state, *steps)


def _header_steps(flags: int) -> list[Step]:
    return [Step.RECEIVE_HEADERS, Step.RECEIVE_END] if flags & frames.END_STREAM else [Step.RECEIVE_HEADERS]


ARRIVING_AT_A_SERVER = ("request", "whole request", "trailers", "data", "last data", "reset", "window", "priority")


@requirement(HTTP2, "5.1", "If an endpoint receives additional frames")
@requirement(HTTP2, "5.1", "An endpoint MUST minimally process")
@requirement(HTTP2, "5.1", "Receiving any frame other than HEADERS or PRIORITY")
@settings(checked_long, max_examples=300)
@given(st.lists(st.sampled_from([*ARRIVING_AT_A_SERVER, "answer", "our reset"]), max_size=10), st.booleans())
def test_a_servers_stream_goes_through_the_states_as_the_tables_say(steps: list[str], fast: bool) -> None:
    server, state = open_server(fast=fast), State.IDLE
    for step in steps:
        assert server.state_of(1) is state
        goes_on: State | None = state
        match step:
            case "answer":
                if server.is_open(1):
                    server.answer(1, OK, b"body")
                    goes_on = after(state, Step.SEND_HEADERS, Step.SEND_END)
                    if goes_on is State.HALF_CLOSED_LOCAL:  # the request still comes: the client is asked to stop (8.1)
                        goes_on = after(goes_on, Step.SEND_RESET)
            case "our reset":
                if server.is_open(1):
                    server.reset(1)
                    goes_on = after(state, Step.SEND_RESET)
            case "request" | "whole request" | "trailers":
                # A header section that opens, or one that ends a message; within a body it would break another rule (8.1).
                if (state is State.OPEN and step != "trailers") or (state is State.IDLE and step == "trailers"):
                    continue
                flags = 0 if step == "request" else frames.END_STREAM
                arrived = headers(1, TRAILERS if step == "trailers" else REQUEST, end_stream=bool(flags))
                goes_on = _arrives(server, state, frames.HEADERS, _header_steps(flags), arrived)
            case "data":
                goes_on = _arrives(server, state, frames.DATA, [], data(1, b"x"))
            case "last data":
                goes_on = _arrives(server, state, frames.DATA, [Step.RECEIVE_END], data(1, b"", end_stream=True))
            case "reset":
                goes_on = _arrives(
                    server, state, frames.RST_STREAM, [Step.RECEIVE_RESET], frames.rst_stream_frame(1, 8)
                )
            case "window":
                goes_on = _arrives(server, state, frames.WINDOW_UPDATE, [], frames.window_update_frame(1, 1))
            case _:
                goes_on = _arrives(server, state, frames.PRIORITY, [], frames.frame(frames.PRIORITY, 0, 1, bytes(5)))
        if goes_on is None:
            return
        state = goes_on
    assert server.state_of(1) is state


ARRIVING_AT_A_CLIENT = ("head", "whole response", "trailers", "data", "last data", "reset", "window", "priority")


@requirement(HTTP2, "5.1", "An endpoint MUST minimally process")
@requirement(HTTP2, "5.1", "Receiving any frame other than HEADERS or PRIORITY")
@settings(checked_long, max_examples=300)
@given(
    st.lists(st.sampled_from([*ARRIVING_AT_A_CLIENT, "request", "request with a body", "our reset"]), max_size=10),
    st.booleans(),
)
def test_a_clients_stream_goes_through_the_states_as_the_tables_say(steps: list[str], fast: bool) -> None:
    client = open_client(server_settings={frames.INITIAL_WINDOW_SIZE: 0}, fast=fast)
    state, head_seen = State.IDLE, False
    for step in steps:
        assert client.state_of(1) is state
        goes_on: State | None = state
        arriving: list[Step] = []
        match step:
            case "request" if state is State.IDLE:
                assert client.request(REQUEST) == 1
                goes_on = after(state, Step.SEND_HEADERS, Step.SEND_END)
            case "request with a body" if state is State.IDLE:
                assert client.request(REQUEST, b"x") == 1  # which waits for the window
                goes_on = after(state, Step.SEND_HEADERS)
            case "request" | "request with a body":
                continue
            case "our reset":
                if state is not State.IDLE and client.open_streams:
                    client.reset(1)
                    goes_on = after(state, Step.SEND_RESET)
            case _ if state is State.IDLE and step in ("head", "whole response", "trailers"):
                continue  # no end of ours takes a stream that a server opens: see test_connection_errors.py
            case "head" | "whole response" | "trailers":
                if head_seen is not (step == "trailers") and state in (State.OPEN, State.HALF_CLOSED_LOCAL):
                    continue  # out of place by the rules of messages (8.1)
                flags = 0 if step == "head" else frames.END_STREAM
                arriving = _header_steps(flags)
                head_seen = True
                arrived = headers(1, TRAILERS if step == "trailers" else RESPONSE, end_stream=bool(flags))
                goes_on = _arrives(client, state, frames.HEADERS, arriving, arrived)
            case "data" | "last data":
                if not head_seen and state in (State.OPEN, State.HALF_CLOSED_LOCAL):
                    continue
                last = step == "last data"
                arriving = [Step.RECEIVE_END] if last else []
                goes_on = _arrives(client, state, frames.DATA, arriving, data(1, b"x", end_stream=last))
            case "reset":
                goes_on = _arrives(
                    client, state, frames.RST_STREAM, [Step.RECEIVE_RESET], frames.rst_stream_frame(1, 8)
                )
            case "window":
                sent = [Step.SEND_END] if state is State.OPEN else []
                goes_on = _arrives(client, state, frames.WINDOW_UPDATE, sent, frames.window_update_frame(1, 1))
            case _:
                goes_on = _arrives(client, state, frames.PRIORITY, [], frames.frame(frames.PRIORITY, 0, 1, bytes(5)))
        if goes_on is None:
            return
        if goes_on is State.HALF_CLOSED_REMOTE:  # answered before all was said: the rest serves nobody (8.1)
            goes_on = after(goes_on, Step.SEND_RESET)
        state = goes_on
    assert client.state_of(1) is state


def test_every_state_but_the_first_is_reached_and_says_what_becomes_of_each_frame() -> None:
    reached = {target for steps in TRANSITIONS.values() for target in steps.values()}
    assert reached == set(State) - {State.IDLE}
    for state in State:
        assert set(TRANSITIONS[state]) <= set(Step)
        assert set(ARRIVALS[state]) == {
            frames.HEADERS, frames.DATA, frames.RST_STREAM, frames.WINDOW_UPDATE, frames.PRIORITY,
        }  # fmt: skip


@pytest.mark.parametrize("state", [State.CLOSED, State.RESET])
def test_what_is_closed_stays_closed(state: State) -> None:
    assert all(after(state, step) is state for step in Step)


# One requirement at a time.


@requirement(HTTP2, "5.1", "then receiving a HEADERS frame MUST also")
@pytest.mark.parametrize("stream_id", [2, 4, 2**31 - 2])
def test_a_stream_that_a_server_would_open_ends_the_connection_at_both_ends(stream_id: int) -> None:
    server, client = open_server(), open_client()
    for end, fields in ((server, REQUEST), (client, RESPONSE)):
        end.receive_data(headers(stream_id, fields, end_stream=True))
        assert end.failed is not None
        assert end.failed.code.name == "PROTOCOL_ERROR"


@requirement(HTTP2, "8.7", "A server MUST NOT indicate that a stream has not been processed")
@requirement(HTTP2, "8.7", "then REFUSED_STREAM MUST NOT be used")
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("breach", [data(0, b"x"), frames.frame(1, 4, 9, b"\x80"), b""])
def test_a_request_that_was_handed_out_is_never_called_unprocessed(breach: bytes, fast: bool) -> None:
    server = open_server({frames.MAX_CONCURRENT_STREAMS: 2}, fast=fast)
    opened = b"".join(headers(stream_id, REQUEST, end_stream=True) for stream_id in (1, 3, 5, 7))
    handed_out = [message.stream_id for message in server.receive_data(opened + breach)]
    if not breach:
        server.goaway()
    written = server.data_to_send()
    refused = {event.stream_id for event in server.take_events() if isinstance(event, StreamRefused)}
    assert handed_out == [1, 3]
    assert refused == {5, 7}
    assert int.from_bytes(written[written.rindex(b"\x07\x00" + bytes(4)) :][6:10]) >= max(handed_out)
