"""Looks on at one connection, whatever it speaks: when it was opened, how it ended, and how many bytes went over it. No I/O."""

from collections.abc import Mapping
from typing import Literal, Protocol

from simulator.observation_records import By, Closed, Opened
from simulator.observations import Observations

End = Literal["end", "reset", "error"]


class Onlooker(Protocol):
    """Who is told of one connection: that it was opened, of every byte in both directions, and how it ended."""

    def opened(self, spoken: str, host: str | None, tls: str | None, alpn: str | None) -> None: ...

    def received(self, data: bytes) -> None: ...

    def sent(self, data: bytes) -> None: ...

    def closed(self, by: By, how: End) -> None: ...


class ConnectionWatch:
    """One connection, watched from its opening on. `connection`: its number. `peer`: the client's address and port."""

    def __init__(self, observations: Observations, connection: int, peer: str) -> None:
        self._observations = observations
        self._connection = connection
        self._peer = peer
        self._bytes_in = 0
        self._bytes_out = 0

    @property
    def frames_in(self) -> Mapping[str, int]:
        """How many frames the client has sent, by type."""
        return {}

    @property
    def frames_out(self) -> Mapping[str, int]:
        """How many frames were sent to it, by type."""
        return {}

    @property
    def unanswered(self) -> tuple[int, ...]:
        """Streams that were opened, and neither have a whole answer nor were reset."""
        return ()

    def opened(self, spoken: str, host: str | None, tls: str | None, alpn: str | None) -> None:
        """The connection is established; see `observation_records.Opened`."""
        self._observations.record(
            Opened(
                at_s=self._observations.now_s(),
                connection=self._connection,
                peer=self._peer,
                spoken=spoken,
                host=host,
                tls=tls,
                alpn=alpn,
            )
        )

    def received(self, data: bytes) -> None:
        """The client sent these bytes; told before anything answers them."""
        self._bytes_in += len(data)

    def sent(self, data: bytes) -> None:
        """These bytes are being written to the client."""
        self._bytes_out += len(data)

    def closed(self, by: By, how: End) -> None:
        """The connection has ended; see `observation_records.Closed`."""
        self._observations.record(
            Closed(
                at_s=self._observations.now_s(),
                connection=self._connection,
                peer=self._peer,
                by=by,
                how=how,
                bytes_in=self._bytes_in,
                bytes_out=self._bytes_out,
                frames_in=dict(self.frames_in),
                frames_out=dict(self.frames_out),
                unanswered=self.unanswered,
            )
        )
