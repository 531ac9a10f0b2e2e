"""What a fault does to a whole connection, beside the answer to one request: values, carried out by session and shell."""

from enum import Enum, unique
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

import msgspec

LINE_DELAY_S_MAX: Final = 86_400.0
DEBUG_BYTES_MAX: Final = 4_096

LineDelay = Annotated[float, msgspec.Meta(ge=0, le=LINE_DELAY_S_MAX)]
ErrorCodeNumber = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
DebugText = Annotated[str, msgspec.Meta(max_length=DEBUG_BYTES_MAX)]


@unique
class Ending(Enum):
    """How a connection is ended from this side.

    `CLOSE`: in good order, what is queued is written first. `RESET`: TCP RST, what has not reached the client is lost.
    `HALF_CLOSE`: TCP FIN without TLS's goodbye, and the client is listened to on: it may take the connection for alive.
    """

    CLOSE = "close"
    RESET = "reset"
    HALF_CLOSE = "half-close"


EndingName = Literal["close", "reset", "half-close"]
LastStream = Literal["this", "before", "all", "none", "max"]
"""Which stream a GOAWAY names as the last: that of the request which the fault meets, the one before it, the newest that has
come, none at all (0), or the highest there can be, as servers do that only announce their leave."""


class Goaway(NamedTuple):
    """GOAWAY. Requests on streams above the one that it names are not looked at from then on. `debug`: its debug data."""

    code: int
    last: LastStream
    debug: bytes


class StreamLimit(NamedTuple):
    """MAX_CONCURRENT_STREAMS is announced where it changes. None: what the provider announces by itself."""

    streams: int | None


class Announce(NamedTuple):
    """SETTINGS with these values, by code."""

    settings: tuple[tuple[int, int], ...]


class RefillWindow(NamedTuple):
    """Whether the connection's window is opened again as it is used up; when it is, what is missing comes at once."""

    refilled: bool


class AnswerPings(NamedTuple):
    """Whether PINGs of the client are answered."""

    answered: bool


class AskPing(NamedTuple):
    """A PING is sent. Its eight bytes are a number: which one it is of the connection's."""


class Stall(NamedTuple):
    """Nothing is written and nothing is read for a while; then it goes on."""

    for_s: float


class Withhold(NamedTuple):
    """What comes behind the request gets no answer any more. `processed`: it is judged all the same, else not looked at.

    It holds as long as the connection does. Nothing is kept of those requests: their streams stay open, so that the client
    begins no more of them than its limit of streams allows.
    """

    processed: bool


class LoseAnswers(NamedTuple):
    """Answers that are not out yet never come: those that wait, and what is queued."""


class End(NamedTuple):
    """The connection ends."""

    how: Ending


class Later(NamedTuple):
    """Something else after a while; not when the connection has ended by then."""

    delay_s: float
    act: "Act"


Act: TypeAlias = (
    Goaway
    | StreamLimit
    | Announce
    | RefillWindow
    | AnswerPings
    | AskPing
    | Stall
    | Withhold
    | LoseAnswers
    | End
    | Later
)


def later(delay_s: float, *acts: Act) -> tuple[Act, ...]:
    """The same after a while; at once for no time."""
    return tuple(Later(delay_s, act) for act in acts) if delay_s > 0 else acts


class IdleClose(NamedTuple):
    """The connection ends once nothing has come from the client for so long: found between one and two times that."""

    idle_s: float
    how: Ending


class StrictStreams(NamedTuple):
    """The client's first stream over the limit ends the connection with this GOAWAY.

    `at_once`: a limit binds from when it is announced, and not only once the client has acknowledged it.
    """

    code: int
    debug: bytes
    at_once: bool


class Opening(NamedTuple):
    """How a connection begins that has just been established.

    - `settings`: by code, in place of the provider's first SETTINGS or beside them.
    - `greeted`: the first SETTINGS are sent at all.
    - `acts`: what follows at once.
    - `idle_close`, `strict_streams`: rules for its whole life.
    """

    settings: tuple[tuple[int, int], ...] = ()
    greeted: bool = True
    acts: tuple[Act, ...] = ()
    idle_close: IdleClose | None = None
    strict_streams: StrictStreams | None = None

    def announcing(self, *settings: tuple[int, int]) -> "Opening":
        """With further values in the first SETTINGS."""
        return self._replace(settings=self.settings + settings)

    def doing(self, *acts: Act) -> "Opening":
        """With further acts behind the first SETTINGS."""
        return self._replace(acts=self.acts + acts)


USUAL_OPENING: Final = Opening()

CertificateKind = Literal["own", "unknown-authority", "wrong-host", "expired"]
HandshakeManner = Literal["go-on", "silent", "reset", "alert"]


class Handshake(NamedTuple):
    """How a client is met that has just connected by TCP.

    - `delay_s`: before anything is read from it.
    - `manner`: then TLS is spoken, or nothing ever said, or the connection reset, or a TLS alert sent.
    - `silent_s`: how long nothing is said, before it is closed.
    - `certificate`: which one is shown. `alpn`: whether a protocol is agreed upon.
    """

    delay_s: float = 0.0
    manner: HandshakeManner = "go-on"
    silent_s: float = 0.0
    certificate: CertificateKind = "own"
    alpn: bool = True


USUAL_HANDSHAKE: Final = Handshake()
