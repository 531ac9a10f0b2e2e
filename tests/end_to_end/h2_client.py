"""A client on `h2` that sends what it is told, also what no APNs client would, and keeps what comes back in its order."""

import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes

from pushrig_pytest import PushSimulator
from tests.end_to_end.provider_tokens import usual_provider_token

TIMEOUT_S = 10.0
PAYLOAD = b'{"aps":{"alert":"Hello"}}'

Fields = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """`fields`: as they came, `:status` among them. `data_frames`: how many made up the body."""

    fields: tuple[tuple[str, str], ...]
    body: bytes
    data_frames: int

    @property
    def status(self) -> int:
        """Of HTTP."""
        return int(dict(self.fields)[":status"])

    @property
    def apns_id(self) -> str:
        """The notification's id."""
        return dict(self.fields)["apns-id"]


class ConnectionEndedError(Exception):
    """The server has ended the connection. `goaway`: its GOAWAY, if it sent one."""

    def __init__(self, goaway: ConnectionTerminated | None) -> None:
        super().__init__(f"the server ended the connection: {goaway}")
        self.goaway = goaway


class H2Client:
    """One connection. `events`: all that came, in order."""

    def __init__(self, connected: socket.socket, *, greet: bool = True) -> None:
        """Send the preface and SETTINGS, unless `greet` is false."""
        configuration = H2Configuration(
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.socket = connected
        self.h2 = H2Connection(configuration)
        self.events: list[Event] = []
        self._pings = count(1)
        if greet:
            self.h2.initiate_connection()
            self.flush()

    @classmethod
    def connect(
        cls,
        simulator: PushSimulator,
        *,
        alpn: Sequence[str] = ("h2",),
        server_name: str | None = None,
        certificate_file: Path | None = None,
    ) -> Self:
        """Over TLS. `alpn`: none when empty. `server_name`: SNI, default the host of the URL. `certificate_file`: of the
        client, with its key."""
        context = ssl.create_default_context(cafile=simulator.ca_file)
        if certificate_file is not None:
            context.load_cert_chain(certificate_file)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        plain = socket.create_connection((simulator.host, simulator.port), timeout=TIMEOUT_S)
        return cls(context.wrap_socket(plain, server_hostname=server_name or simulator.host))

    @classmethod
    def connect_cleartext(cls, host: str, port: int) -> Self:
        """HTTP/2 without TLS, by prior knowledge."""
        return cls(socket.create_connection((host, port), timeout=TIMEOUT_S))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def flush(self, change: Callable[[bytes], bytes] = lambda data: data) -> None:
        """Send what h2 has queued, by way of `change`."""
        self.socket.sendall(change(self.h2.data_to_send()))

    def send(
        self, fields: Fields, body: bytes = PAYLOAD, *, change: Callable[[bytes], bytes] = lambda data: data
    ) -> int:
        """Send a request and return its stream id. `change`: of the bytes on their way."""
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, fields, end_stream=not body)
        if body:
            self.h2.send_data(stream_id, body, end_stream=True)
        self.flush(change)
        return stream_id

    def answer(self, stream_id: int) -> Answer:
        """Wait for the answer on a stream. Raises ConnectionEndedError; AssertionError when the stream is reset."""
        self.wait_for(lambda event: isinstance(event, StreamEnded | StreamReset) and event.stream_id == stream_id)
        mine = [event for event in self.events if getattr(event, "stream_id", None) == stream_id]
        assert not any(isinstance(event, StreamReset) for event in mine), mine
        [response] = [event for event in mine if isinstance(event, ResponseReceived)]
        data = [event for event in mine if isinstance(event, DataReceived)]
        if data:
            assert data[-1].stream_ended is not None
        return Answer(
            fields=tuple((str(name), str(value)) for name, value in response.headers or ()),
            body=b"".join(event.data or b"" for event in data),
            data_frames=len(data),
        )

    def push(self, fields: Fields, body: bytes = PAYLOAD) -> Answer:
        """Send a request and wait for its answer."""
        return self.answer(self.send(fields, body))

    def wait_for(self, awaited: Callable[[Event], bool]) -> Event:
        """The first event that fits, come already or yet to come. Raises ConnectionEndedError."""
        seen = 0
        while True:
            for event in self.events[seen:]:
                if awaited(event):
                    return event
            seen = len(self.events)
            self.receive()

    def receive(self) -> None:
        """One read. Raises ConnectionEndedError at the end of the stream, and after a GOAWAY."""
        try:
            data = self.socket.recv(65_536)
        except (ssl.SSLEOFError, ConnectionResetError):
            data = b""
        self.events += self.h2.receive_data(data)
        goaways = [event for event in self.events if isinstance(event, ConnectionTerminated)]
        if not data or goaways:
            raise ConnectionEndedError(goaways[0] if goaways else None)
        self.flush()

    def ping(self) -> None:
        """Send a PING and wait for its answer, which carries the same: all that was sent before has been read by then."""
        carried = next(self._pings).to_bytes(8)
        self.h2.ping(carried)
        self.flush()
        self.wait_for(lambda event: isinstance(event, PingAckReceived) and event.ping_data == carried)

    def stream_limits(self) -> list[int | str]:
        """The MAX_CONCURRENT_STREAMS of each SETTINGS that came, and "answer" for each answer, in order."""
        found: list[int | str] = []
        for event in self.events:
            if isinstance(event, RemoteSettingsChanged):
                change = event.changed_settings.get(SettingCodes.MAX_CONCURRENT_STREAMS)
                found += [] if change is None else [change.new_value]
            elif isinstance(event, ResponseReceived):
                found.append("answer")
        return found


def valid_push(simulator: PushSimulator, **changes: str | None) -> Fields:
    """The fields of a push that is accepted. `changes`: other values, `_` for `-`; None leaves a field out.

    `device` is the device token in the path, `authorization` the provider token with its scheme.
    """
    token = changes.pop("device", None)
    fields: dict[str, str | None] = {
        ":method": "POST",
        ":scheme": "https",
        ":authority": f"{simulator.host}:{simulator.port}",
        ":path": f"/3/device/{simulator.token() if token is None else token}",
        "authorization": None,
        "apns-topic": simulator.topic,
    }
    pseudo = {"method", "scheme", "authority", "path"}
    for name, value in changes.items():
        fields[f":{name}" if name in pseudo else name.replace("_", "-")] = value
    if "authorization" not in changes:
        fields["authorization"] = f"bearer {usual_provider_token(simulator)}"
    return [(name, value) for name, value in fields.items() if value is not None]
