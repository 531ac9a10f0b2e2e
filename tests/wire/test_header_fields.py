"""Which header fields make a message well formed (RFC 9113, section 8): a valid section, one field spoilt."""

import pytest

from tests.wire.peers import REQUEST, RESPONSE, replaced
from wire.fields import content_length, request_fault, response_fault, trailers_fault
from wire.request import Fields

CONNECT: Fields = ((b":method", b"CONNECT"), (b":authority", b"localhost:443"))


@pytest.mark.parametrize(
    "fields",
    [
        REQUEST,
        CONNECT,
        REQUEST[:4],
        (*REQUEST, (b"te", b"trailers")),
        (*REQUEST, (b"te", b"Trailers")),
        (*REQUEST, (b"x", b"")),
        (*REQUEST, (b"x", b"inner \t space"), (b"x", b"\x7f\xff\x01")),
        (*REQUEST, (b"!#$%&'*+-.^_`|~09az", b"every sign of a token")),
        (REQUEST[3], REQUEST[2], REQUEST[1], REQUEST[0]),
        tuple(field for field in REQUEST if field[0] != b":authority"),
        replaced(REQUEST, scheme=b"https:"),  # firebase-admin for Node.js
    ],
)
def test_a_request_is_well_formed(fields: Fields) -> None:
    assert request_fault(fields) is None


@pytest.mark.parametrize(
    ("section", "fields"),
    [
        ("8.2.1", (*REQUEST, (b"Apns-Topic", b"x"))),
        ("8.2.1", (*REQUEST, (b"", b"x"))),
        ("8.2.1", (*REQUEST, (b"a b", b"x"))),
        ("8.2.1", (*REQUEST, (b"a\x00", b"x"))),
        ("8.2.1", (*REQUEST, (b"a:b", b"x"))),
        ("8.2.1", (*REQUEST, (b"\xc3\xa4", b"x"))),
        ("8.2.1", (*REQUEST, (b"a\x7f", b"x"))),
        ("8.2.1", (*REQUEST, (b"a\n", b"x"))),
        ("8.2.1", (*REQUEST, (b"x", b"a\x00b"))),
        ("8.2.1", (*REQUEST, (b"x", b"a\rb"))),
        ("8.2.1", (*REQUEST, (b"x", b"a\nb"))),
        ("8.2.1", (*REQUEST, (b"x", b" a"))),
        ("8.2.1", (*REQUEST, (b"x", b"a\t"))),
        ("8.2.1", replaced(REQUEST, path=b"/a\x00")),
        ("8.2.1", replaced(REQUEST, apns_id=b" ")),
        ("8.2.2", (*REQUEST, (b"connection", b"close"))),
        ("8.2.2", (*REQUEST, (b"proxy-connection", b"close"))),
        ("8.2.2", (*REQUEST, (b"keep-alive", b"5"))),
        ("8.2.2", (*REQUEST, (b"transfer-encoding", b"chunked"))),
        ("8.2.2", (*REQUEST, (b"upgrade", b"h2c"))),
        ("8.2.2", (*REQUEST, (b"te", b"gzip"))),
        ("8.3", (*REQUEST[:3], REQUEST[4], REQUEST[3])),
        ("8.3", (*REQUEST[:4], REQUEST[3])),
        ("8.3", (*REQUEST[:4], (b":status", b"200"))),
        ("8.3", (*REQUEST[:4], (b":protocol", b"websocket"))),
        ("8.3.1", replaced(REQUEST, method=None)),
        ("8.3.1", replaced(REQUEST, scheme=None)),
        ("8.3.1", replaced(REQUEST, path=None)),
        ("8.3.1", replaced(REQUEST, path=b"")),
        ("8.3.1", replaced(REQUEST, method=b"")),
        ("8.3.1", replaced(REQUEST, method=b"PO ST")),
        ("8.3.1", replaced(REQUEST, scheme=b"")),
        ("8.3.1", replaced(REQUEST, scheme=b"1https")),
        ("8.3.1", replaced(REQUEST, scheme=b"https::")),
        ("8.3.1", replaced(REQUEST, scheme=b":")),
        ("8.5", replaced(REQUEST, method=b"CONNECT")),
        ("8.5", CONNECT[:1]),
        ("8.3.1", ()),
    ],
)
def test_a_request_is_malformed(section: str, fields: Fields) -> None:
    fault = request_fault(fields)
    assert fault is not None
    assert f"RFC 9113, {section})" in fault


@pytest.mark.parametrize(
    ("section", "fields"),
    [
        ("8.3.2", RESPONSE[1:]),
        ("8.3.2", ((b":status", b"20"),)),
        ("8.3.2", ((b":status", b"2000"),)),
        ("8.3.2", ((b":status", b"099"),)),
        ("8.3.2", ((b":status", b"2OO"),)),
        ("8.3", ((b":status", b"200"), (b":path", b"/"))),
        ("8.3", ((b":status", b"200"), (b":status", b"200"))),
        ("8.3", (RESPONSE[1], RESPONSE[0])),
        ("8.2.2", (*RESPONSE, (b"connection", b"close"))),
    ],
)
def test_a_response_is_malformed(section: str, fields: Fields) -> None:
    assert response_fault(RESPONSE) is None
    fault = response_fault(fields)
    assert fault is not None
    assert f"RFC 9113, {section})" in fault


def test_trailers_are_regular_fields_alone() -> None:
    assert trailers_fault(((b"grpc-status", b"0"),)) is None
    assert trailers_fault(()) is None
    fault = trailers_fault(((b":status", b"200"),))
    assert fault is not None
    assert "8.3" in fault


@pytest.mark.parametrize(
    ("values", "length"),
    [((), None), ((b"0",), 0), ((b"12",), 12), ((b"12", b"12"), 12), ((b"0012",), 12), ((b"9" * 18,), 10**18 - 1)],
)
def test_a_content_length_is_believed(values: tuple[bytes, ...], length: int | None) -> None:
    fields = (*REQUEST, *((b"content-length", value) for value in values))
    assert content_length(fields) == (length, None)


@pytest.mark.parametrize(
    "values", [(b"",), (b"-1",), (b"+1",), (b"1 ",), (b"0x1",), (b"1", b"2"), (b"1, 1",), (b"9" * 19,), (b"\xb2",)]
)
def test_a_content_length_is_not_believed(values: tuple[bytes, ...]) -> None:
    length, fault = content_length((*REQUEST, *((b"content-length", value) for value in values)))
    assert length is None
    assert fault is not None
    assert "RFC 9110, 8.6" in fault


@pytest.mark.parametrize(("status", "length"), [(b"200", 5), (b"204", None), (b"304", None)])
def test_a_response_without_a_body_may_announce_the_length_it_would_have(status: bytes, length: int | None) -> None:
    assert content_length(((b":status", status), (b"content-length", b"5"))) == (length, None)
