"""RFC 9113, section 8: messages that both ends take for malformed, and those that ours will not make."""

from collections.abc import Sequence

import pytest

from sender.apns.messages import ApnsOptions, header_fields
from sender.errors import SenderConfigurationError
from sender.pool import Endpoint
from simulator.apns.host_environment import environment_of
from simulator.apns.request import authority_of
from simulator.devices.token_space import Environment
from tests.wire.conformance.requirement import HTTP2, requirement
from tests.wire.peers import REQUEST, RESPONSE, headers, open_client, open_server, replaced
from wire.errors import ErrorCode, LocalProtocolError
from wire.events import StreamReset
from wire.fields import request_fault
from wire.request import Fields, Head

Field = tuple[bytes, bytes]
MALFORMED = requirement(HTTP2, "8.2.1", "A request or response that contains a field")
MINIMAL = requirement(HTTP2, "8.2.1", "Implementations MUST perform")
NOT_IN_NAMES = [*range(0x21), *range(0x41, 0x5B), *range(0x7F, 0x100)]


def _is_reset_by_both(request: Fields, response: Fields, *, fast: bool = True) -> None:
    """A server takes the request, a client the response, for malformed: stream error PROTOCOL_ERROR, and nothing else."""
    server, client = open_server(fast=fast), open_client(fast=fast)
    client.request(REQUEST)
    assert server.receive_data(headers(1, request, end_stream=True)) == []
    assert client.receive_data(headers(1, response, end_stream=True)) == []
    for end in (server, client):
        resets = [event for event in end.take_events() if isinstance(event, StreamReset)]
        assert [(event.stream_id, event.code, event.local) for event in resets] == [(1, ErrorCode.PROTOCOL_ERROR, True)]
        assert end.failed is None


def _spoilt_by(field: Field) -> None:
    _is_reset_by_both((*REQUEST, field), (*RESPONSE, field))
    _is_reset_by_both((*REQUEST, field), (*RESPONSE, field), fast=False)
    with pytest.raises(LocalProtocolError, match="make no request"):
        open_client().request((*REQUEST, field))
    with pytest.raises(LocalProtocolError, match="make no request"):
        open_client().prepare((*REQUEST, field))


@MINIMAL
@MALFORMED
@requirement(HTTP2, "8.2.1", "A field name MUST NOT contain characters")
@requirement(HTTP2, "8.2", "Field names MUST be converted to lowercase")
@pytest.mark.parametrize("byte", NOT_IN_NAMES)
def test_a_name_holds_no_control_space_upper_case_or_byte_beyond_ascii(byte: int) -> None:
    for name in (bytes((byte,)), b"a" + bytes((byte,)), bytes((byte,)) + b"a"):
        _spoilt_by((name, b"value"))


@MINIMAL
@MALFORMED
@requirement(HTTP2, "8.2.1", "field names MUST NOT include a colon")
@pytest.mark.parametrize("name", [b"a:", b"a:b", b"::path"])
def test_a_name_holds_no_colon(name: bytes) -> None:
    _spoilt_by((name, b"value"))


@MINIMAL
@MALFORMED
@requirement(HTTP2, "8.2.1", "A field value MUST NOT contain the zero value")
@pytest.mark.parametrize("byte", [b"\x00", b"\n", b"\r"])
@pytest.mark.parametrize("value", [b"%b", b"a%b", b"%ba", b"a%bb"])
def test_a_value_holds_no_nul_lf_or_cr(value: bytes, byte: bytes) -> None:
    _spoilt_by((b"name", value % byte))


@MINIMAL
@MALFORMED
@requirement(HTTP2, "8.2.1", "A field value MUST NOT start or end with")
@pytest.mark.parametrize("value", [b" ", b"\t", b" a", b"a ", b"\ta", b"a\t"])
def test_a_value_does_not_start_or_end_with_white_space(value: bytes) -> None:
    _spoilt_by((b"name", value))


@requirement(HTTP2, "8.2.2", "Any message containing connection-specific")
@requirement(HTTP2, "8.2.2", "An endpoint MUST NOT generate")
@pytest.mark.parametrize("name", [b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"])
def test_no_field_speaks_of_a_connection(name: bytes) -> None:
    _spoilt_by((name, b"close"))


@requirement(HTTP2, "8.2.2", "when it is, it MUST NOT contain any value")
@pytest.mark.parametrize("value", [b"", b"gzip", b"trailers, gzip", b"trailers;q=0.5"])
def test_te_says_trailers_or_nothing(value: bytes) -> None:
    _spoilt_by((b"te", value))
    assert request_fault((*REQUEST, (b"te", b"trailers"))) is None


@requirement(HTTP2, "8.3", "Pseudo-header fields defined for requests")
@requirement(HTTP2, "8.3", "Endpoints MUST treat a request or response that contains undefined")
@requirement(HTTP2, "8.3", "Endpoints MUST NOT generate pseudo-header fields")
@pytest.mark.parametrize("name", [b":status", b":protocol", b":", b":PATH", b":x"])
def test_a_request_has_the_pseudo_header_fields_of_requests_alone(name: bytes) -> None:
    request = ((name, b"200"), *REQUEST)
    _is_reset_by_both(request, RESPONSE[1:])
    with pytest.raises(LocalProtocolError, match="make no request"):
        open_client().request(request)


@requirement(HTTP2, "8.3", "Pseudo-header fields defined for requests")
@requirement(HTTP2, "8.3", "Endpoints MUST treat a request or response that contains undefined")
@pytest.mark.parametrize("name", [b":method", b":scheme", b":path", b":authority", b":reason"])
def test_a_response_has_the_pseudo_header_field_of_responses_alone(name: bytes) -> None:
    _is_reset_by_both(REQUEST[1:], (RESPONSE[0], (name, b"/"), *RESPONSE[1:]))


@requirement(HTTP2, "8.3", "All pseudo-header fields MUST appear")
@requirement(HTTP2, "8.3", "Any request or response that contains a pseudo-header field that appears")
@pytest.mark.parametrize("at", range(4))
def test_pseudo_header_fields_stand_before_all_others(at: int) -> None:
    late: Fields = (*REQUEST[:at], *REQUEST[at + 1 :], REQUEST[at])
    _is_reset_by_both(late, (*RESPONSE[1:], RESPONSE[0]))
    with pytest.raises(LocalProtocolError, match="make no request"):
        open_client().request(late)


@requirement(HTTP2, "8.3", "The same pseudo-header field name MUST NOT")
@requirement(HTTP2, "8.3", "A field block for an HTTP request or response that contains a repeated")
@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("value", [None, b"other"])
def test_no_pseudo_header_field_is_repeated(at: int, value: bytes | None) -> None:
    name, first = REQUEST[at]
    twice = ((name, value or first), *REQUEST)
    _is_reset_by_both(twice, (RESPONSE[0], *RESPONSE))
    with pytest.raises(LocalProtocolError, match="make no request"):
        open_client().request(twice)


@requirement(HTTP2, "8.3.1", "All HTTP/2 requests MUST")
@requirement(HTTP2, "8.3.1", "This pseudo-header field MUST NOT be empty")
@requirement(HTTP2, "8.3", "Endpoints MUST treat a request or response that contains undefined")
@pytest.mark.parametrize(
    "spoilt", [{name: value} for name in ("method", "scheme", "path") for value in (None, b"")], ids=str
)
def test_a_request_has_a_method_a_scheme_and_a_path(spoilt: dict[str, bytes | None]) -> None:
    request = replaced(REQUEST, **spoilt)
    _is_reset_by_both(request, RESPONSE[1:])
    with pytest.raises(LocalProtocolError, match="make no request"):
        open_client().request(request)


@requirement(HTTP2, "8.1.1", "Malformed requests or responses")
@pytest.mark.parametrize("length", [b"1", b"3", b"x"])
def test_a_client_makes_no_request_whose_body_is_of_another_length(length: bytes) -> None:
    client = open_client()
    with pytest.raises(LocalProtocolError, match="make no request"):
        client.request((*REQUEST, (b"content-length", length)), b"{}")
    assert client.data_to_send() == b""
    assert client.request((*REQUEST, (b"content-length", b"2")), b"{}") == 1


# What the sender and the simulator make of it.


def _fields_of_the_sender(authority: str) -> Sequence[Field]:
    options = ApnsOptions("com.example.app", authority, push_type="alert", priority=5, expiration_s=0, collapse_id="x")
    return [(name, value or b"/3/device/00") for name, value in header_fields(options, b"bearer x")]


@requirement(HTTP2, "8.3.1", 'Clients that generate HTTP/2 requests directly MUST use the ":authority"')
@requirement(HTTP2, "8.3.1", "Clients MUST NOT generate a request with a Host header")
@requirement(HTTP2, "8.2", "Field names MUST be converted to lowercase")
def test_the_sender_names_the_provider_by_authority_and_never_by_host() -> None:
    fields = _fields_of_the_sender("localhost:8443")
    assert dict(fields)[b":authority"] == b"localhost:8443"
    assert b"host" not in dict(fields)
    assert request_fault(fields) is None


@requirement(HTTP2, "8.3.1", "MUST NOT include the deprecated userinfo")
def test_no_endpoint_of_the_sender_has_userinfo() -> None:
    for url in ("https://user@localhost", "https://user:secret@localhost"):
        with pytest.raises(SenderConfigurationError):
            Endpoint.parse(url)
    assert "@" not in Endpoint.parse("https://localhost:8443").authority


@requirement(HTTP2, "8.3.1", "The recipient of an HTTP/2 request MUST NOT use the Host")
def test_the_simulator_asks_host_only_where_there_is_no_authority() -> None:
    sandbox = (b"host", b"api.sandbox.push.apple.com")
    named = replaced(REQUEST, authority=b"api.push.apple.com")
    assert authority_of(Head((*named, sandbox))) == b"api.push.apple.com"
    assert authority_of(Head((*replaced(REQUEST, authority=None), sandbox))) == sandbox[1]
    assert environment_of(None, sandbox[1], Environment.PRODUCTION) is Environment.SANDBOX
