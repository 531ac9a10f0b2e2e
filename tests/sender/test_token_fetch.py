"""The trip to a token endpoint and back: any trouble on the way is an answer, never an exception."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sender.credential import CredentialRequest
from sender.errors import SenderConfigurationError
from sender.token_fetch import ANSWER_BYTES_MAX, fetcher


@contextmanager
def answering(answer: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """An endpoint that gives one answer; None: it closes at once. What it was sent comes in the list."""
    received: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            data = b""
            while answer is not None and b"assertion" not in data:
                data += connection.recv(65_536)
            received.append(data)
            if answer:
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/token?x=1", received
    finally:
        thread.join(5)
        listening.close()


def ask(url: str, timeout_s: float = 5.0) -> tuple[int, bytes, str]:
    return fetcher(None, timeout_s=timeout_s)(CredentialRequest(url, b"assertion=x"))


def test_a_form_is_posted_and_the_answer_brought_back() -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}") as (url, received):
        assert ask(url) == (400, b"{}", "")
    head, _, body = received[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /token?x=1 HTTP/1.1\r\n") and body == b"assertion=x"
    assert b"content-type: application/x-www-form-urlencoded" in head


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, "reset|closed|Remote end|Broken pipe"),
        (b"", "Remote end closed"),
        (b"nonsense\r\n\r\n", "nonsense"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (ANSWER_BYTES_MAX + 1), "more than 65,536 bytes"),
    ],
)
def test_a_broken_answer_is_no_answer(answer: bytes | None, error: str) -> None:
    with answering(answer) as (url, _):
        status, body, said = ask(url)
    assert (status, body) == (0, b"")
    assert any(part in said for part in error.split("|")), said


def test_an_endpoint_that_is_not_there_or_not_trusted_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    status, _, error = ask(f"http://127.0.0.1:{port}/token")
    assert status == 0 and "refused" in error
    status, _, error = ask("http://" + "x" * 300 + ".test/token")
    assert status == 0 and error


def test_a_silent_endpoint_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        status, _, error = ask(f"http://127.0.0.1:{silent.getsockname()[1]}/token", timeout_s=0.05)
    assert status == 0 and "timed out" in error


def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(SenderConfigurationError, match="cannot be used"):
        fetcher(tmp_path / "none.pem")
