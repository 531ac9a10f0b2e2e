"""Servers that others have written, against the client end over real sockets: nghttp2's and Node.js'."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.wire.independent.blocking_client import TIMEOUT_S, answers
from tests.wire.independent.programs import path_of
from wire.request import Fields

NODE_SERVER = Path(__file__).with_name("node_server.mjs")
REQUESTS = 250


def _fields(path: str, method: bytes = b"POST") -> Fields:
    return (
        (b":method", method),
        (b":scheme", b"http"),
        (b":authority", b"localhost"),
        (b":path", path.encode()),
        (b"apns-topic", b"com.example.app"),
    )


@contextmanager
def _running(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_open(port: int) -> None:
    until_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until_s:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            continue
        return
    raise AssertionError(f"nothing listens on port {port}")


def test_nghttpd_answers_the_client(tmp_path: Path) -> None:
    page = bytes(number * 31 & 0xFF for number in range(100_000))  # longer than the window of a stream
    (tmp_path / "page").write_bytes(page)
    program, port = path_of("nghttpd"), _free_port()
    options = [
        "--no-tls",
        "--address",
        "127.0.0.1",
        "--htdocs",
        str(tmp_path),
        "--trailer",
        "checksum: 1",
        "--padding",
        "9",
    ]
    with _running([program, *options, "--max-concurrent-streams", "20", str(port)]):
        _wait_until_open(port)
        sent = [(_fields("/page" if number % 5 else "/none", b"GET"), b"") for number in range(REQUESTS)]
        found = answers(port, sent)
    statuses = [found[number].head.value(b":status") for number in range(REQUESTS)]
    assert statuses == [b"200" if number % 5 else b"404" for number in range(REQUESTS)]
    assert {len(found[number].body) for number in range(REQUESTS) if number % 5} == {65_536}  # what is kept of a body
    assert found[1].body == page[:65_536]


def test_a_node_server_answers_the_client() -> None:
    with _running([path_of("node"), str(NODE_SERVER)]) as process:
        assert process.stdout is not None
        told = re.search(r"port (\d+)", process.stdout.readline())
        assert told is not None
        bodies = [b"x" * (number * 997 % 70_000) for number in range(REQUESTS)]
        found = answers(int(told[1]), [(_fields(f"/{number}"), body) for number, body in enumerate(bodies)])
    for number, body in enumerate(bodies):
        answer = found[number]
        assert answer.head.value(b":status") == b"200"
        assert answer.head.value(b"x-path") == b"/%d" % number
        assert answer.body == b"%d" % len(body)
