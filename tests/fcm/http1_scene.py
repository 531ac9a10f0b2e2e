"""One HTTP/1.1 connection to Google's services, without sockets: requests as bytes in, answers out."""

import json
import random
from dataclasses import dataclass

import h11

from simulator.apns.answer import RandomIds
from simulator.host_owner import HostOwner
from simulator.http1_session import Http1Session
from simulator.limits import Limits
from simulator.session import SessionParts
from tests.fcm.service_account import NOW_S
from tests.fcm.valid_send import CONNECTION_ID, PATH, Bench, Send, access_token

LIMITS = Limits()
BODY = Send().request().body
BEGUN_S = 1_000.0


def head(
    target: str = PATH, *fields: str, method: str = "POST", version: str = "1.1", host: str = "fcm.googleapis.com"
) -> bytes:
    """A request's head; `fields` come after host and credential."""
    lines = [f"{method} {target} HTTP/{version}", f"host: {host}", f"authorization: Bearer {access_token()}", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def whole(target: str = PATH, *fields: str, body: bytes = BODY, **more: str) -> bytes:
    """A request with its body."""
    return head(target, f"content-length: {len(body)}", *fields, **more) + body


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    status: int
    fields: dict[bytes, bytes]
    body: bytes

    @property
    def name(self) -> str:
        """Of the message."""
        return str(json.loads(self.body)["name"])


def answers_in(data: bytes, methods: tuple[str, ...] = ()) -> list[Answer]:
    """The answers in whole bytes. `methods`: of the requests, POST where there is none."""
    found: list[Answer] = []
    at = 0
    while at < len(data):
        client = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        method = methods[len(found)] if len(found) < len(methods) else "POST"
        client.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        client.send(h11.EndOfMessage())
        client.receive_data(data[at:])
        body = b""
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                assert isinstance(event, h11.InformationalResponse), event
        found.append(Answer(response.status_code, dict(response.headers), body))
        at = len(data) - len(client.trailing_data[0])
    return found


class Scene:
    """One connection. `owner`: of the host that it came to."""

    def __init__(self, owner: HostOwner | None = HostOwner.GOOGLE) -> None:
        self.bench = Bench()
        rig = self.bench.rig
        parts = SessionParts(
            rig,
            LIMITS,
            LIMITS.of_wire(),
            RandomIds(random.Random(7).randbytes),
            self.bench.service,
            monotonic_s=lambda: BEGUN_S,
        )
        self.session = Http1Session(parts, owner, CONNECTION_ID, BEGUN_S, lambda: NOW_S, secure=True)

    def take(self, *reads: bytes) -> bytes:
        """What is written after these reads."""
        written = b""
        for read in reads:
            self.session.receive(read)
            written += self.session.data_to_send()
        return written

    def ask(self, data: bytes, *methods: str) -> list[Answer]:
        return answers_in(self.take(data), methods)

    def tick(self, passed_s: float, unread_bytes: int | None = None) -> bool:
        return self.session.tick(BEGUN_S + passed_s, unread_bytes)

    @property
    def reached(self) -> dict[str, int]:
        return dict(self.bench.rig.counters.limits_reached)
