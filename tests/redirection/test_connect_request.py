"""What the proxy makes of a request head: a tunnel to the simulator, or a refusal that says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.redirection.connect_request import HEAD_END, Refusal, Refused, refusal_of
from loadtest.redirection.hosts import PROVIDER_HOSTS

RIG_PORT = 8443


def refusal(line: str) -> Refusal | None:
    refused = refusal_of(f"{line}\r\nhost: x".encode() + HEAD_END, RIG_PORT)
    return None if refused is None else refused.refusal


@pytest.mark.parametrize("host", PROVIDER_HOSTS)
@pytest.mark.parametrize("port", [443, 2197, 1, 65_535])
def test_every_host_of_a_provider_gets_a_tunnel_on_any_port(host: str, port: int) -> None:
    assert refusal(f"CONNECT {host}:{port} HTTP/1.1") is None


@pytest.mark.parametrize(
    "target", ["API.PUSH.APPLE.COM:443", "api.push.apple.com.:443", "localhost:8443", "[::1]:8443"]
)
def test_other_spellings_and_the_simulator_itself_get_one_too(target: str) -> None:
    assert refusal(f"CONNECT {target} HTTP/1.0") is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("CONNECT example.com:443 HTTP/1.1", Refusal.ELSEWHERE),
        ("CONNECT localhost:22 HTTP/1.1", Refusal.ELSEWHERE),
        ("CONNECT 169.254.169.254:80 HTTP/1.1", Refusal.ELSEWHERE),
        ("CONNECT evil.fcm.googleapis.com:443 HTTP/1.1", Refusal.ELSEWHERE),
        ("GET http://fcm.googleapis.com/ HTTP/1.1", Refusal.OTHER_METHOD),
        ("connect fcm.googleapis.com:443 HTTP/1.1", Refusal.OTHER_METHOD),
        ("CONNECT fcm.googleapis.com HTTP/1.1", Refusal.MALFORMED),
        ("CONNECT fcm.googleapis.com: HTTP/1.1", Refusal.MALFORMED),
        ("CONNECT fcm.googleapis.com:0 HTTP/1.1", Refusal.MALFORMED),
        ("CONNECT fcm.googleapis.com:65536 HTTP/1.1", Refusal.MALFORMED),
        ("CONNECT fcm.googleapis.com:4٣ HTTP/1.1", Refusal.MALFORMED),
        ("CONNECT :443 HTTP/1.1", Refusal.MALFORMED),
        ("CONNECT fcm.googleapis.com:443 HTTP/2", Refusal.MALFORMED),
        ("CONNECT fcm.googleapis.com:443", Refusal.MALFORMED),
        ("", Refusal.MALFORMED),
    ],
)
def test_everything_else_is_refused(line: str, expected: Refusal) -> None:
    assert refusal(line) is expected


def test_a_refusal_names_what_was_asked_for_and_what_to_do() -> None:
    refused = refusal_of(b"CONNECT db.example:5432 HTTP/1.1" + HEAD_END, RIG_PORT)
    assert refused is not None
    head, _, body = refused.answer().partition(HEAD_END)
    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert b"db.example:5432" in body and b"NO_PROXY" in body


def test_a_wrong_method_is_told_the_right_one() -> None:
    assert b"\r\nallow: CONNECT\r\n" in Refused(Refusal.OTHER_METHOD, "GET").answer()


@given(st.binary(max_size=300) | st.text(max_size=50).map(lambda target: f"CONNECT {target} HTTP/1.1".encode()))
def test_any_bytes_get_a_tunnel_to_a_known_host_or_a_well_formed_refusal(line: bytes) -> None:
    refused = refusal_of(line + HEAD_END, RIG_PORT)
    if refused is None:
        host = line.split()[1].rpartition(b":")[0].removesuffix(b".").lower().decode()
        assert host in (*PROVIDER_HOSTS, "localhost", "127.0.0.1", "[::1]", "::1")
        return
    head, end, body = refused.answer().partition(HEAD_END)
    assert end and all(part.isascii() for part in (head, refused.refusal.phrase.encode()))
    assert len(body) < 1_200 and "\x1b" not in body.decode()
