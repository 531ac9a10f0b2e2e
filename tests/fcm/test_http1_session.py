"""HTTP/1.1 to Google's services, without sockets: bytes in, answers out, whatever the bytes and however they are cut."""

import json
import random
from dataclasses import dataclass
from itertools import pairwise

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.apns.answer import RandomIds
from simulator.fcm.service import BODY_BYTES_KEPT_MAX, BODY_LIMIT
from simulator.host_owner import HostOwner
from simulator.http1_session import REQUESTS_A_READ_MAX, STREAM_ID, Http1Session
from simulator.limits import Limits
from simulator.session import SessionParts
from tests.fcm.service_account import NOW_S
from tests.fcm.valid_send import CONNECTION_ID, PATH, Bench, Send, access_token, token_of

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


# One request after the other


def test_a_send_is_answered_counted_and_written_down_and_the_connection_goes_on() -> None:
    scene = Scene()
    for count in (1, 2):
        (answer,) = scene.ask(whole())
        assert answer.status == 200
        assert answer.fields[b"content-type"] == b"application/json; charset=UTF-8"
        assert answer.fields[b"date"] == b"Sun, 15 Jun 2025 15:06:40 GMT"
        assert not scene.session.closing
        counters = scene.bench.rig.counters
        assert (counters.streams, counters.notifications, counters.accepted) == (count, count, count)
    row = scene.bench.rows()[-1]
    assert (row.connection_id, row.stream_id, row.path, row.body) == (CONNECTION_ID, STREAM_ID, PATH.encode(), BODY)
    assert row.message_id.decode() == answer.name.rpartition("/")[2]
    assert row.head.fields[:4] == (
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"fcm.googleapis.com"),
        (b":path", b""),
    )


def test_pipelined_requests_are_answered_in_their_order() -> None:
    scene = Scene()
    bodies = [Send().to("token", token_of(index)).request().body for index in range(5)]
    data = b"".join(whole(body=body) for body in bodies) + whole("/v1/x") + whole()
    assert [answer.status for answer in scene.ask(data)] == [200] * 5 + [404, 200]
    assert [row.token.decode() for row in scene.bench.rows()] == [token_of(index) for index in range(5)] + [token_of(1)]


@given(cuts=st.lists(st.integers(0, 2_000), max_size=8), size=st.integers(1, 100))
@example(cuts=list(range(2_000)), size=1)
def test_however_the_bytes_are_cut_the_answers_are_the_same(cuts: list[int], size: int) -> None:
    data = (
        whole()
        + head(PATH, "transfer-encoding: chunked")
        + chunked(BODY, size)
        + whole("/v1/elsewhere")
        + head(PATH, method="GET")
        + whole(body=b"{")
    )
    places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    reads = [data[at:end] for at, end in pairwise(places)]
    scene = Scene()
    answers = answers_in(scene.take(*reads))
    assert [answer.status for answer in answers] == [200, 200, 404, 404, 400]
    assert scene.bench.mark(1) == (2, False)


@pytest.mark.parametrize(
    ("data", "closing"),
    [
        (whole(), False),
        (whole(PATH, "connection: close"), True),
        (whole(version="1.0"), True),
    ],
)
def test_a_connection_is_closed_after_the_answer_if_the_client_asks_for_it(data: bytes, closing: bool) -> None:
    scene = Scene()
    (answer,) = scene.ask(data)
    assert answer.status == 200
    assert scene.session.closing is closing
    assert (answer.fields.get(b"connection") == b"close") is closing
    assert (scene.take(whole()) == b"") is closing


def test_who_waits_to_be_asked_for_the_body_is_asked_once() -> None:
    scene = Scene()
    asked = scene.take(head(PATH, f"content-length: {len(BODY)}", "expect: 100-continue"))
    assert asked == b"HTTP/1.1 100 \r\n\r\n"
    assert scene.take(BODY[:10]) == b""
    (answer,) = answers_in(scene.take(BODY[10:]))
    assert answer.status == 200
    assert scene.take(head(PATH, f"content-length: {len(BODY)}")) == b""  # this one does not wait


def test_the_answer_to_head_has_the_length_of_a_body_and_none() -> None:
    scene = Scene()
    first, second = scene.ask(head("/x", method="HEAD") + head("/x", method="GET"), "HEAD", "GET")
    assert (first.status, first.body) == (404, b"")
    assert first.fields[b"content-length"] == second.fields[b"content-length"] == b"%d" % len(second.body)


# Whose request it is


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        (PATH, "localhost:8443", 200),
        ("/elsewhere", "localhost:8443", 505),
        ("/elsewhere", "fcm.googleapis.com", 404),
        ("/3/device/" + "ab" * 32, "localhost", 505),
        (PATH, "api.push.apple.com", 505),
        (f"https://fcm.googleapis.com{PATH}", "localhost", 200),
        (f"https://fcm.googleapis.com:443{PATH}?prettyPrint=false", "localhost", 200),
        ("https://fcm.googleapis.com", "localhost", 404),
        ("https://fcm.googleapis.com?a=/v1/", "localhost", 404),
        (f"https://api.push.apple.com{PATH}", "fcm.googleapis.com", 505),
        ("*", "localhost", 505),
        ("elsewhere", "localhost", 505),
    ],
)
def test_where_both_providers_answer_the_target_tells_and_then_the_host(target: str, host: str, status: int) -> None:
    (answer,) = Scene(None).ask(whole(target, host=host))
    assert answer.status == status
    assert (b"APNs speaks HTTP/2 only" in answer.body) is (status == 505)


def test_a_target_in_absolute_form_keeps_its_query() -> None:
    scene = Scene()
    for target in (f"https://fcm.googleapis.com{PATH}?prettyPrint=false", f"{PATH}?prettyPrint=false"):
        (answer,) = scene.ask(whole(target))
        assert answer.body.startswith(b'{"name":"')
    assert {row.path for row in scene.bench.rows()} == {f"{PATH}?prettyPrint=false".encode()}


def test_on_a_host_of_googles_every_path_is_googles() -> None:
    (answer,) = Scene(HostOwner.GOOGLE).ask(whole("/3/device/x", host="localhost"))
    assert (answer.status, answer.fields[b"content-type"]) == (404, b"text/html; charset=UTF-8")


@pytest.mark.parametrize("method", ["CONNECT", "OPTIONS", "TRACE", "PURGE"])
def test_other_methods_are_pages_that_are_not_there(method: str) -> None:
    scene = Scene()
    target = "fcm.googleapis.com:443" if method == "CONNECT" else PATH
    assert [answer.status for answer in scene.ask(head(target, method=method) + whole(), method)] == [404, 200]


def test_an_upgrade_is_passed_over() -> None:
    scene = Scene()
    upgrading = whole(
        PATH, "connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAoAAAAAIAAAAA"
    )
    assert [answer.status for answer in scene.ask(upgrading + whole())] == [200, 200]


# Sizes and faults


@pytest.mark.parametrize("in_chunks", [False, True])
def test_a_body_that_is_too_large_is_read_to_its_end_kept_in_bounds_and_refused(in_chunks: bool) -> None:
    scene = Scene()
    size = 3 * BODY_BYTES_KEPT_MAX
    body = chunked(b" " * size, 60_000) if in_chunks else b" " * size
    scene.take(head(PATH, "transfer-encoding: chunked" if in_chunks else f"content-length: {size}"))
    for at in range(0, len(body), 65_536):
        assert len(scene.session._body) <= BODY_BYTES_KEPT_MAX
        written = scene.take(body[at : at + 65_536])
    (answer,) = answers_in(written)
    assert (answer.status, scene.reached) == (413, {BODY_LIMIT: 1})
    assert [answer.status for answer in scene.ask(whole())] == [200]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST\r\n\r\n", 400),
        (b"\x00" * 20 + b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\nhost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx y: 1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: many\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", 400),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else "",
)
def test_what_is_no_request_is_refused_and_the_connection_closed(data: bytes, status: int) -> None:
    scene = Scene()
    first, refusal = scene.ask(whole() + data + whole())
    assert first.status == 200
    assert (refusal.status, refusal.fields[b"connection"]) == (status, b"close")
    assert scene.session.closing
    assert scene.bench.rig.counters.protocol_errors == 1
    assert scene.take(whole()) == b""


@pytest.mark.parametrize(
    "filled",
    [
        "x: " + "y" * LIMITS.header_list_bytes_max,
        "\r\n".join("x: y" for _ in range(LIMITS.header_list_bytes_max // 34)),
    ],
    ids=["one field", "many fields"],
)
@pytest.mark.parametrize("whole_in_a_read", [False, True])
def test_a_head_that_is_too_large_is_refused_however_it_comes(filled: str, whole_in_a_read: bool) -> None:
    scene = Scene()
    data = whole(PATH, filled)
    written = (
        scene.take(data) if whole_in_a_read else scene.take(*(data[at : at + 500] for at in range(0, len(data), 500)))
    )
    (refusal,) = answers_in(written)
    assert (refusal.status, refusal.fields[b"connection"]) == (431, b"close")
    assert scene.session.closing
    counters = scene.bench.rig.counters
    assert (counters.header_lists_refused, counters.protocol_errors, counters.notifications) == (1, 0, 0)


def test_a_head_that_is_as_large_as_may_be_is_read() -> None:
    """As HTTP/2 counts, with 32 bytes for each field."""
    scene = Scene()
    fields = [("host", "fcm.googleapis.com"), ("authorization", f"Bearer {access_token()}"), ("x", "")]
    fields += [("content-length", str(len(BODY)))]
    room = LIMITS.header_list_bytes_max - len(PATH) - sum(len(name) + len(value) + 32 for name, value in fields)
    assert [answer.status for answer in scene.ask(whole(PATH, "x: " + "y" * room))] == [200]
    assert [answer.status for answer in scene.ask(whole(PATH, "x: " + "y" * (room + 1)))] == [431]


_PIECES = st.sampled_from(
    [
        whole(),
        whole(PATH, "connection: close"),
        head(PATH, "transfer-encoding: chunked"),
        head(PATH, "content-length: 5", "expect: 100-continue"),
        head(PATH, method="CONNECT"),
        head(PATH, "connection: upgrade", "upgrade: h2c", method="GET"),
        head(PATH, method="HEAD"),
        chunked(BODY, 50),
        b"\r\n",
        b"0\r\nx: y\r\n\r\n",
        b"POST / HTTP/1.1\r\n",
        b"host: x\r\n",
    ]
)


@given(st.lists(_PIECES | st.binary(max_size=30), max_size=8))
def test_any_bytes_end_in_answers(pieces: list[bytes]) -> None:
    scene = Scene()
    for piece in pieces:
        scene.take(piece)
    scene.session.tick(BEGUN_S + 10_000, None)
    scene.session.shut_down()
    counters = scene.bench.rig.counters
    assert counters.notifications == counters.accepted + counters.rejected
    assert counters.protocol_errors in (0, 1)


def test_a_crowd_in_one_read_is_answered_up_to_a_bound_and_the_connection_closed() -> None:
    scene = Scene()
    answers = scene.take(head("/x", method="GET") * (REQUESTS_A_READ_MAX + 1)).count(b"HTTP/1.1 404")
    assert answers == REQUESTS_A_READ_MAX
    assert scene.session.closing


# Time


@pytest.mark.parametrize(
    "sent", [b"P", head()[:-4], head(PATH, "content-length: 5"), head(PATH, "content-length: 5") + b"{"]
)
def test_a_request_that_does_not_end_is_refused_once_its_time_is_over(sent: bytes) -> None:
    scene = Scene()
    assert [answer.status for answer in scene.ask(whole())] == [200]
    scene.take(sent)
    for passed_s in (1.0, LIMITS.request_timeout_s):
        assert scene.tick(passed_s)
        assert not scene.session.closing
    assert scene.tick(1.0 + LIMITS.request_timeout_s)
    (answer,) = answers_in(scene.session.data_to_send())
    assert (answer.status, answer.fields[b"connection"]) == (408, b"close")
    assert scene.session.closing
    assert scene.reached == {"request_timeout_s": 1}


def test_a_request_that_grows_byte_by_byte_has_the_same_time() -> None:
    scene = Scene()
    data, passed_s = head(), 0.0
    while not scene.session.closing:
        scene.take(data[:1])
        data = data[1:]
        assert scene.tick(passed_s)
        passed_s += 10.0
    assert passed_s <= LIMITS.request_timeout_s + 20.0


def test_requests_that_end_in_time_have_all_the_time_in_the_world() -> None:
    scene = Scene()
    passed_s = 0.0
    for _ in range(5):
        data = whole()
        assert scene.take(data[:30]) == b""
        assert scene.tick(passed_s)
        passed_s += 0.75 * LIMITS.request_timeout_s
        assert scene.tick(passed_s)
        (answer,) = answers_in(scene.take(data[30:]))
        assert answer.status == 200
    assert scene.reached == {}


def test_who_says_nothing_is_sent_away_without_a_word() -> None:
    scene = Scene()
    scene.take(whole())
    for passed_s in (1.0, LIMITS.idle_timeout_s):
        assert scene.tick(passed_s)
        assert not scene.session.closing
    assert scene.tick(1.0 + LIMITS.idle_timeout_s)
    assert (scene.session.closing, scene.session.data_to_send()) == (True, b"")
    assert scene.reached == {"idle_timeout_s": 1}


def test_who_does_not_read_is_cut() -> None:
    scene = Scene()
    scene.take(whole())
    assert scene.tick(1.0, 5_000)
    assert scene.tick(LIMITS.unread_timeout_s, 5_000)
    assert scene.tick(LIMITS.unread_timeout_s + 1.0, 4_999)  # some was read
    assert scene.tick(2 * LIMITS.unread_timeout_s, 4_999)
    assert not scene.tick(2 * LIMITS.unread_timeout_s + 1.0, 4_999)
    assert scene.reached == {"unread_timeout_s": 1}


def test_a_request_that_is_not_read_on_since_answers_wait_is_not_late() -> None:
    scene = Scene()
    scene.take(whole() + whole()[:30])
    for passed_s in (0.0, 0.6, 1.2, 1.8):
        assert scene.tick(passed_s * LIMITS.request_timeout_s, int(5_000 - 10 * passed_s))  # the client reads slowly
    assert (scene.reached, scene.session.closing) == ({}, False)
    assert scene.tick(1.8 * LIMITS.request_timeout_s)
    assert scene.tick(2.8 * LIMITS.request_timeout_s)
    assert scene.reached == {"request_timeout_s": 1}


def test_a_simulator_that_stops_closes() -> None:
    scene = Scene()
    scene.session.shut_down()
    assert scene.session.closing


@pytest.mark.parametrize("target", ["https://fcm.googleapis.com", "https://fcm.googleapis.com?a=/v1/"])
def test_a_target_in_absolute_form_without_a_path_asks_for_the_root(target: str) -> None:
    (answer,) = Scene(None).ask(whole(target, host="localhost"))
    assert b"<code>/</code>" in answer.body
