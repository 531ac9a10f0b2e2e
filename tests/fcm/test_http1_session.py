"""HTTP/1.1 to Google's services: whose request it is, and its answer, whatever the bytes and however they are cut."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.host_owner import HostOwner
from simulator.http1_session import STREAM_ID
from tests.fcm.http1_scene import BEGUN_S, BODY, Scene, answers_in, chunked, head, whole
from tests.fcm.valid_send import CONNECTION_ID, PATH, Send, token_of

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


@pytest.mark.parametrize("target", ["https://fcm.googleapis.com", "https://fcm.googleapis.com?a=/v1/"])
def test_a_target_in_absolute_form_without_a_path_asks_for_the_root(target: str) -> None:
    (answer,) = Scene(None).ask(whole(target, host="localhost"))
    assert b"<code>/</code>" in answer.body


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


# Any bytes


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


def test_a_simulator_that_stops_closes() -> None:
    scene = Scene()
    scene.session.shut_down()
    assert scene.session.closing
