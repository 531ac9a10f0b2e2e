"""What a program asks of the CONNECT proxy, and what it is told: pure rules over the bytes of one request head.

Source: RFC 9110, 9.3.6 (CONNECT); RFC 9112, 2.1 and 3.2.3 (the head, the form of its target).
"""

from dataclasses import dataclass
from enum import Enum, unique

from loadtest.redirection.environment import LOOPBACK
from loadtest.redirection.hosts import PROVIDER_HOSTS, plain_host

HEAD_BYTES_MAX = 8_192
HEAD_END = b"\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
TARGET_CHARACTERS_SHOWN_MAX = 200


@unique
class Refusal(Enum):
    """Why there is no tunnel: status and reason phrase, and what to say. `{}` stands for what was asked for."""

    MALFORMED = 400, "Bad Request", "this is no CONNECT HOST:PORT of HTTP/1.1: {}"
    ELSEWHERE = (
        403,
        "Forbidden",
        "this proxy leads to the simulator and nowhere else, and {} is no host of APNs or FCM; "
        "name the host in NO_PROXY to reach it directly",
    )
    OTHER_METHOD = 405, "Method Not Allowed", "this proxy opens tunnels by CONNECT and does nothing else, not {}"
    TOO_SLOW = 408, "Request Timeout", "the request did not come to its end in time"
    TOO_LARGE = 431, "Request Header Fields Too Large", f"a request to this proxy may have {HEAD_BYTES_MAX} bytes"
    SIMULATOR_AWAY = 502, "Bad Gateway", "the simulator does not take connections: {}"
    CROWDED = 503, "Service Unavailable", "this proxy has {} tunnels open, and opens no more"

    def __init__(self, status: int, phrase: str, text: str) -> None:
        self.status, self.phrase, self.text = status, phrase, text


@dataclass(frozen=True, slots=True)
class Refused:
    """No tunnel. `asked`: what for, as far as it was understood."""

    refusal: Refusal
    asked: str = ""

    def answer(self) -> bytes:
        """The bytes to send before closing."""
        row = self.refusal
        body = f"pushrig run: {row.text.format(self.asked)}\n".encode()
        fields = [f"HTTP/1.1 {row.status} {row.phrase}", "content-type: text/plain; charset=utf-8"]
        if row is Refusal.OTHER_METHOD:
            fields.append("allow: CONNECT")
        fields += [f"content-length: {len(body)}", "connection: close"]
        return "\r\n".join(fields).encode() + HEAD_END + body


def refusal_of(head: bytes, rig_port: int) -> Refused | None:
    """Return why the request `head` (with its last empty line) gets no tunnel; None when it gets one to the simulator.

    `rig_port`: the simulator itself may be asked for too, by programs that send all of HTTPS through their proxy.
    """
    line = head.partition(b"\r\n")[0].decode("latin-1")
    parts = line.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        return Refused(Refusal.MALFORMED, _shown(line))
    method, target, _ = parts
    if method != "CONNECT":
        return Refused(Refusal.OTHER_METHOD, _shown(method))
    host, colon, port = target.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65_535):
        return Refused(Refusal.MALFORMED, _shown(line))
    name = plain_host(host.removeprefix("[").removesuffix("]"))
    if name in PROVIDER_HOSTS or (name in LOOPBACK and int(port) == rig_port):
        return None
    return Refused(Refusal.ELSEWHERE, _shown(target))


def _shown(text: str) -> str:
    """Somebody's text on a line of ours: bounded, and without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text[:TARGET_CHARACTERS_SHOWN_MAX])
