"""HTTP/1.1 to Google's services: what is no request, too large, too slow or too much, and how it ends."""

import pytest

from simulator.fcm.service import BODY_BYTES_KEPT_MAX, BODY_LIMIT
from simulator.http1_session import REQUESTS_A_READ_MAX
from tests.fcm.http1_scene import BODY, LIMITS, Scene, answers_in, chunked, head, whole
from tests.fcm.valid_send import PATH, access_token

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
