"""The states of a stream as data (RFC 9113, section 5.1): what moves a stream on, and what becomes of the frames that arrive.

The connections keep no variable with a state in it: where a stream stands is said by the tables that hold it (`wire.streams`),
and `Streams.state_of` reads it off. That both agree, step by step, is shown by a property test that drives these tables beside
both ends; docs/wire.md draws its picture from them. The two reserved states of the RFC are left out: push alone leads there.
"""

from collections.abc import Mapping
from enum import Enum, unique

from wire.errors import ErrorCode
from wire.frames import DATA, HEADERS, PRIORITY, RST_STREAM, WINDOW_UPDATE


@unique
class State(Enum):
    """Of one stream, as one end sees it."""

    IDLE = "idle"
    OPEN = "open"
    HALF_CLOSED_LOCAL = "half-closed (local)"  # this end has said all
    HALF_CLOSED_REMOTE = "half-closed (remote)"  # the peer has said all
    CLOSED = "closed"
    RESET = "closed by our RST_STREAM"  # of the RFC a part of `closed`, with a rule of its own


@unique
class Step(Enum):
    """What moves a stream. A HEADERS frame with END_STREAM is two steps, in this order."""

    SEND_HEADERS = "send HEADERS"
    RECEIVE_HEADERS = "receive HEADERS"
    SEND_END = "send END_STREAM"
    RECEIVE_END = "receive END_STREAM"
    SEND_RESET = "send RST_STREAM"
    RECEIVE_RESET = "receive RST_STREAM"


# From a state, by a step, to the next. Steps that are not listed change nothing, or may not be made.
TRANSITIONS: Mapping[State, Mapping[Step, State]] = {
    State.IDLE: {
        Step.SEND_HEADERS: State.OPEN,  # a client opens
        Step.RECEIVE_HEADERS: State.OPEN,  # a server lets be opened
    },
    State.OPEN: {
        Step.SEND_END: State.HALF_CLOSED_LOCAL,
        Step.RECEIVE_END: State.HALF_CLOSED_REMOTE,
        Step.SEND_RESET: State.RESET,
        Step.RECEIVE_RESET: State.CLOSED,
    },
    State.HALF_CLOSED_LOCAL: {
        Step.RECEIVE_END: State.CLOSED,
        Step.SEND_RESET: State.RESET,
        Step.RECEIVE_RESET: State.CLOSED,
    },
    State.HALF_CLOSED_REMOTE: {
        Step.SEND_END: State.CLOSED,
        Step.SEND_RESET: State.RESET,
        Step.RECEIVE_RESET: State.CLOSED,
    },
    State.CLOSED: {},
    State.RESET: {},
}


@unique
class Fate(Enum):
    """What becomes of a well-formed frame that arrives: `code` of the error, and whether it ends the `connection`."""

    TAKEN = None, False
    DROPPED = ErrorCode.NO_ERROR, False  # after what it means for header table and windows of the connection
    STREAM_CLOSED = ErrorCode.STREAM_CLOSED, False
    CONNECTION_STREAM_CLOSED = ErrorCode.STREAM_CLOSED, True
    CONNECTION_PROTOCOL_ERROR = ErrorCode.PROTOCOL_ERROR, True

    def __init__(self, code: ErrorCode | None, connection: bool) -> None:
        self.code = code
        self.connection = connection


_ALWAYS = {PRIORITY: Fate.TAKEN}
_WHILE_OPEN = {RST_STREAM: Fate.TAKEN, WINDOW_UPDATE: Fate.TAKEN, **_ALWAYS}

# What becomes of a frame, by the state of its stream. An idle stream is taken to be one that the peer may open.
ARRIVALS: Mapping[State, Mapping[int, Fate]] = {
    State.IDLE: {
        HEADERS: Fate.TAKEN,
        DATA: Fate.CONNECTION_PROTOCOL_ERROR,
        RST_STREAM: Fate.CONNECTION_PROTOCOL_ERROR,
        WINDOW_UPDATE: Fate.CONNECTION_PROTOCOL_ERROR,
        **_ALWAYS,
    },
    State.OPEN: {HEADERS: Fate.TAKEN, DATA: Fate.TAKEN, **_WHILE_OPEN},
    State.HALF_CLOSED_LOCAL: {HEADERS: Fate.TAKEN, DATA: Fate.TAKEN, **_WHILE_OPEN},
    State.HALF_CLOSED_REMOTE: {HEADERS: Fate.STREAM_CLOSED, DATA: Fate.STREAM_CLOSED, **_WHILE_OPEN},
    State.CLOSED: {
        HEADERS: Fate.CONNECTION_STREAM_CLOSED,
        DATA: Fate.CONNECTION_STREAM_CLOSED,
        # On their way when the stream ended.
        RST_STREAM: Fate.DROPPED,
        WINDOW_UPDATE: Fate.DROPPED,
        **_ALWAYS,
    },
    State.RESET: {
        HEADERS: Fate.DROPPED,
        DATA: Fate.DROPPED,
        RST_STREAM: Fate.DROPPED,
        WINDOW_UPDATE: Fate.DROPPED,
        **_ALWAYS,
    },
}


def after(state: State, *steps: Step) -> State:
    """Where a stream stands after these steps."""
    for step in steps:
        state = TRANSITIONS[state].get(step, state)
    return state
