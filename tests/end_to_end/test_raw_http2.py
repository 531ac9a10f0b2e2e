"""The provider plane as senders find it on the wire: `h2` as the client, one oddity of real clients at a time."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator

import pytest
from h2.errors import ErrorCodes
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, PriorityFrame

from pushrig_pytest import PushSimulator, PushSimulatorFactory
from tests.end_to_end.h2_client import PAYLOAD, ConnectionEndedError, H2Client, valid_push
from tests.end_to_end.provider_tokens import provider_token

APNS_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
UUID_OF_APNS = re.compile(r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}")
REFUSED_MAX = 100  # streams over the limit that a connection may open


@pytest.fixture
def client(push_simulator: PushSimulator) -> Iterator[H2Client]:
    """A connection over TLS."""
    with H2Client.connect(push_simulator) as connected:
        yield connected


# Settings and answers


def test_the_stream_limit_is_1_and_then_1000_before_the_first_answer(
    push_simulator: PushSimulator, client: H2Client
) -> None:
    assert client.push(valid_push(push_simulator)).status == 200
    assert client.stream_limits() == [1, 1000, "answer"]


def test_an_invalid_provider_token_does_not_raise_the_stream_limit(
    push_simulator: PushSimulator, client: H2Client
) -> None:
    assert client.push(valid_push(push_simulator, authorization="bearer a.b.c")).status == 403
    assert client.stream_limits() == [1, "answer"]
    assert client.push(valid_push(push_simulator)).status == 200
    assert client.stream_limits() == [1, "answer", 1000, "answer"]


def test_a_push_that_is_rejected_for_its_device_raises_the_stream_limit(
    push_simulator: PushSimulator, client: H2Client
) -> None:
    assert client.push(valid_push(push_simulator, device="no-hex")).status == 400
    assert client.stream_limits() == [1, 1000, "answer"]


def test_an_accepted_push_is_answered_by_status_and_apns_id_alone(
    push_simulator: PushSimulator, client: H2Client
) -> None:
    answer = client.push(valid_push(push_simulator))
    assert [name for name, _ in answer.fields] == [":status", "apns-id"]
    assert UUID_OF_APNS.fullmatch(answer.apns_id)
    assert (answer.body, answer.data_frames) == (b"", 0)


@pytest.mark.parametrize("apns_id", [APNS_ID, APNS_ID.upper()])
@pytest.mark.parametrize("topic", ["com.example.app", None])
def test_the_apns_id_is_echoed_in_its_own_case(
    push_simulator: PushSimulator, client: H2Client, apns_id: str, topic: str | None
) -> None:
    answer = client.push(valid_push(push_simulator, apns_id=apns_id, apns_topic=topic))
    assert answer.status == (400 if topic is None else 200)
    assert answer.apns_id == apns_id


def test_a_rejection_has_its_reason_in_one_data_frame(push_simulator: PushSimulator, client: H2Client) -> None:
    answer = client.push(valid_push(push_simulator, apns_topic=None))
    assert [name for name, _ in answer.fields] == [":status", "apns-id"]
    assert (answer.body, answer.data_frames) == (b'{"reason":"MissingTopic"}', 1)


def test_the_sandbox_adds_a_unique_id(push_simulator: PushSimulator) -> None:
    with H2Client.connect(push_simulator, server_name="api.sandbox.push.apple.com") as client:
        answer = client.push(valid_push(push_simulator, device="ab" * 32))
        assert [name for name, _ in answer.fields] == [":status", "apns-id", "apns-unique-id"]
        assert UUID_OF_APNS.fullmatch(dict(answer.fields)["apns-unique-id"])


def test_a_ping_is_answered_with_what_it_carries(client: H2Client) -> None:
    client.ping()
    client.ping()


# What real clients do


def test_a_connection_without_alpn_speaks_http2_all_the_same(push_simulator: PushSimulator) -> None:
    with H2Client.connect(push_simulator, alpn=()) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        assert client.socket.selected_alpn_protocol() is None
        assert client.push(valid_push(push_simulator)).status == 200


def test_alpn_is_h2(push_simulator: PushSimulator) -> None:
    with H2Client.connect(push_simulator, alpn=("http/1.1", "h2")) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        assert client.socket.selected_alpn_protocol() == "h2"


def test_host_stands_in_for_authority(push_simulator: PushSimulator, client: H2Client) -> None:
    assert client.push(valid_push(push_simulator, authority=None, host="localhost")).status == 200


def test_the_environment_follows_the_host(push_simulator: PushSimulator, client: H2Client) -> None:
    answer = client.push(valid_push(push_simulator, authority="api.sandbox.push.apple.com"))
    assert (answer.status, answer.body) == (400, b'{"reason":"BadDeviceToken"}')


@pytest.mark.parametrize("scheme", ["bearer", "Bearer", "BEARER"])
def test_the_scheme_of_the_provider_token_has_no_case(
    push_simulator: PushSimulator, client: H2Client, scheme: str
) -> None:
    authorization = f"{scheme} {provider_token(push_simulator)}"
    assert client.push(valid_push(push_simulator, authorization=authorization)).status == 200


def test_a_signature_in_der_is_as_good(push_simulator: PushSimulator, client: H2Client) -> None:
    authorization = f"bearer {provider_token(push_simulator, der=True)}"
    assert client.push(valid_push(push_simulator, authorization=authorization)).status == 200


@pytest.mark.parametrize(("fate", "status"), [("active", 200), ("unregistered", 410), ("wrong-topic", 400)])
def test_a_device_token_has_no_case(push_simulator: PushSimulator, client: H2Client, fate: str, status: int) -> None:
    token = push_simulator.token(fate)
    answers = [client.push(valid_push(push_simulator, device=each)) for each in (token, token.upper())]
    assert [answer.status for answer in answers] == [status, status]
    assert answers[0].body == answers[1].body


def test_a_form_content_type_is_not_minded(push_simulator: PushSimulator, client: H2Client) -> None:
    fields = valid_push(push_simulator, content_type="application/x-www-form-urlencoded", user_agent="curl/8")
    assert client.push(fields).status == 200


# Frames


def _frames(data: bytes) -> list[Frame]:
    found = []
    while data:
        frame, size = Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + size]))
        found.append(frame)
        data = data[9 + size :]
    return found


def _in_pieces(data: bytes) -> bytes:
    """The header block of each HEADERS frame cut into three, in CONTINUATION frames."""
    out: list[Frame] = []
    for frame in _frames(data):
        if isinstance(frame, HeadersFrame):
            block, third = frame.data, len(frame.data) // 3
            frame.data = block[:third]
            frame.flags.discard("END_HEADERS")
            middle = ContinuationFrame(frame.stream_id, block[third : 2 * third])
            last = ContinuationFrame(frame.stream_id, block[2 * third :], flags=["END_HEADERS"])
            out += [frame, middle, last]
        else:
            out.append(frame)
    return b"".join(frame.serialize() for frame in out)


def _padded(data: bytes) -> bytes:
    frames = _frames(data)
    for frame in frames:
        if isinstance(frame, HeadersFrame | DataFrame):
            frame.pad_length = 100
            frame.flags.add("PADDED")
    return b"".join(frame.serialize() for frame in frames)


def _prioritised(data: bytes) -> bytes:
    frames = _frames(data)
    for frame in frames:
        if isinstance(frame, HeadersFrame):
            frame.flags.add("PRIORITY")
            frame.depends_on, frame.stream_weight, frame.exclusive = 0, 200, True
    priority = PriorityFrame(frames[0].stream_id, depends_on=0, stream_weight=7)
    return b"".join(frame.serialize() for frame in [priority, *frames, priority])


def _in_data_frames_of_one_byte(data: bytes) -> bytes:
    out: list[Frame] = []
    for frame in _frames(data):
        if isinstance(frame, DataFrame):
            pieces = [DataFrame(frame.stream_id, frame.data[at : at + 1]) for at in range(len(frame.data))]
            out += [*pieces, DataFrame(frame.stream_id, b"", flags=["END_STREAM"])]
        else:
            out.append(frame)
    return b"".join(frame.serialize() for frame in out)


@pytest.mark.parametrize("change", [_in_pieces, _padded, _prioritised, _in_data_frames_of_one_byte])
def test_a_request_may_come_in_any_frames(
    push_simulator: PushSimulator, client: H2Client, change: Callable[[bytes], bytes]
) -> None:
    token = push_simulator.token()
    for _ in range(3):  # the same header block again: indexed, and from caches
        stream_id = client.send(valid_push(push_simulator, device=token), change=change)
        assert client.answer(stream_id).status == 200
    assert [each.body for each in push_simulator.notifications(count=3)] == [PAYLOAD] * 3


def test_a_request_may_come_byte_by_byte(push_simulator: PushSimulator, client: H2Client) -> None:
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def one_by_one(data: bytes) -> bytes:
        for at in range(len(data)):
            client.socket.sendall(data[at : at + 1])
        return b""

    stream_id = client.send(valid_push(push_simulator), change=one_by_one)
    assert client.answer(stream_id).status == 200


def test_answers_wait_for_a_client_without_a_window(push_simulator: PushSimulator, client: H2Client) -> None:
    assert client.push(valid_push(push_simulator)).status == 200
    client.h2.update_settings({4: 0})  # INITIAL_WINDOW_SIZE
    client.flush()
    client.ping()
    stream_id = client.send(valid_push(push_simulator, apns_topic=None))
    client.ping()
    assert client.stream_limits().count("answer") == 2  # its header fields
    client.h2.increment_flow_control_window(1_000, stream_id)
    client.flush()
    assert client.answer(stream_id).data_frames == 1


def test_streams_over_the_limit_are_refused_and_too_many_end_the_connection(
    push_simulator: PushSimulator, client: H2Client
) -> None:
    client.wait_for(lambda _: client.stream_limits() == [1])
    client.ping()  # the limit is acknowledged
    waiting = client.h2.get_next_available_stream_id()
    client.h2.send_headers(waiting, valid_push(push_simulator), end_stream=False)
    client.flush()
    client.h2.remote_settings.max_concurrent_streams = 10_000  # a client that does not care
    client.h2.remote_settings.acknowledge()
    fields = valid_push(push_simulator)
    with pytest.raises((ConnectionEndedError, ConnectionError)) as ended:
        for _ in range(REFUSED_MAX + 1):
            client.send(fields)
        while True:
            client.receive()
    assert isinstance(ended.value, ConnectionEndedError)
    assert ended.value.goaway is not None
    assert ended.value.goaway.additional_data == b"Maximum active streams violated for this endpoint."
    assert push_simulator.stats().resets_sent >= REFUSED_MAX


def test_http2_without_tls_by_prior_knowledge(push_simulator_factory: PushSimulatorFactory) -> None:
    with push_simulator_factory("--cleartext-port", "0") as simulator:
        assert simulator.cleartext_port is not None
        with H2Client.connect_cleartext("127.0.0.1", simulator.cleartext_port) as client:
            assert client.push(valid_push(simulator, scheme="http")).status == 200
            assert client.stream_limits() == [1, 1000, "answer"]


def test_the_throttle_ends_a_connection_of_many_errors(push_simulator_factory: PushSimulatorFactory) -> None:
    with (
        push_simulator_factory("--penalty", "on") as simulator,
        H2Client.connect(simulator) as client,
        pytest.raises(ConnectionEndedError) as ended,
    ):
        for _ in range(1_000):
            client.push(valid_push(simulator, device="no-hex"))
    assert ended.value.goaway is not None
    assert ended.value.goaway.error_code is ErrorCodes.ENHANCE_YOUR_CALM
    assert ended.value.goaway.additional_data == b'{"reason":"TooManyRequests"}'
    limits = [each for each in client.stream_limits() if each != "answer"]
    assert limits[:2] == [1, 1000]
    assert limits[2:] == sorted(limits[2:], reverse=True)
    assert len(limits) > 2
