"""Times and connections out of observations, and out of a stretch of the journal."""

from typing import Literal

from loadtest.external.control_view import Noted
from loadtest.external.requests_seen import RequestsSeen, add_gaps, percentiles_ms
from loadtest.replay.observed import Answer, Closed, HandshakeFailed, Observation, Opened, RequestSeen, Reset


def opened(connection: int, spoken: str = "HTTP/2") -> Opened:
    return Opened(at_s=0, connection=connection, peer="", spoken=spoken, host=None, tls=None, alpn=None)


def closed(connection: int, by: Literal["client", "simulator"] = "client", unanswered: tuple[int, ...] = ()) -> Closed:
    return Closed(
        at_s=9, connection=connection, peer="", by=by, how="end", bytes_in=0, bytes_out=0, frames_in={}, frames_out={},
        unanswered=unanswered,
    )  # fmt: skip


def request(connection: int, stream: int, opened_s: float, streams_open: int = 1) -> RequestSeen:
    return RequestSeen(
        at_s=opened_s, connection=connection, stream=stream, opened_s=opened_s, streams_open=streams_open, streams_max=None,
        provider="apns", method="POST", path="", token=None, target=None, notification_id=None, topic=None,
        credential=None, body_bytes=0,
    )  # fmt: skip


def answer(connection: int, stream: int, at_s: float) -> Answer:
    return Answer(
        at_s=at_s, connection=connection, stream=stream, status=200, reason=None, message_id=None, retry_after=None,
        retry_after_s=None, timestamp_ms=None, body_bytes=0,
    )  # fmt: skip


def seen(*observations: Observation) -> RequestsSeen:
    requests = RequestsSeen()
    requests.take(observations)
    return requests


def test_a_gap_is_between_requests_of_the_same_connection() -> None:
    requests = seen(
        opened(1), opened(2), request(1, 1, 1.0), request(2, 1, 1.2), request(1, 3, 1.5), request(2, 3, 1.204),
    )  # fmt: skip
    assert requests.gap_us == {500_000 >> 8 << 8: 1, 4_000 >> 1 << 1: 1}


def test_requests_told_of_out_of_order_make_no_gap_below_nothing() -> None:
    requests = seen(opened(1), request(1, 1, 1.0), request(1, 5, 1.002), request(1, 3, 1.001), request(1, 7, 1.003))
    assert requests.gap_us == {2_000: 1, 0: 1, 1_000: 1}


def test_an_answer_takes_from_the_beginning_of_its_request() -> None:
    requests = seen(
        opened(1),
        request(1, 1, 1.0),
        request(1, 3, 1.0),
        answer(1, 3, 1.001),
        answer(1, 1, 1.002),
        answer(1, 9, 2.0),
        answer(1, 1, 2.0),
    )
    assert requests.answer_us == {1_000: 1, 2_000: 1}


def test_a_reset_stream_has_no_answer() -> None:
    requests = seen(
        opened(1),
        request(1, 1, 1.0),
        Reset(at_s=2, connection=1, by="client", stream=1, code=8),
        answer(1, 1, 3.0),
        request(1, 3, 1.0),
        Reset(at_s=2, connection=1, by="simulator", stream=3, code=8),
        answer(1, 3, 3.0),
    )
    assert (requests.answer_us, requests.connections().resets_by_client) == ({}, 1)


def test_connections_are_counted_by_what_they_spoke_and_how_they_ended() -> None:
    figures = seen(
        opened(1), opened(2, "HTTP/1.1"), request(1, 1, 1.0), request(1, 3, 1.0, streams_open=2), closed(1, unanswered=(3,)),
        opened(3), request(3, 1, 2.0), HandshakeFailed(at_s=2, peer="", why=""), closed(2, "simulator"),
    ).connections()  # fmt: skip
    assert (figures.opened, figures.most_open, figures.streams_most) == (3, 2, 2)
    assert figures.spoken == {"HTTP/2": 2, "HTTP/1.1": 1}
    assert figures.ended == {"client: end": 1, "simulator: end": 1}
    assert (figures.unanswered, figures.handshakes_failed) == (1, 1)
    assert figures.requests == {"min": 0, "p50": 1, "max": 2}  # the third is open still


def test_the_most_open_at_once_stays_when_they_are_closed() -> None:
    assert seen(opened(1), opened(2), closed(1), closed(2), opened(3)).connections().most_open == 2


def test_nothing_of_a_connection_is_kept_when_it_is_closed() -> None:
    requests = seen(opened(1), request(1, 1, 1.0), closed(1))
    assert not requests._open


def test_without_requests_there_are_no_times() -> None:
    assert percentiles_ms(seen(opened(1)).gap_us) == {}
    assert seen().connections().requests == {}


def test_percentiles_are_milliseconds() -> None:
    found = percentiles_ms({1_000: 98, 7_000: 1, 9_000: 1})
    assert found == {"p50": 1.0, "p90": 1.0, "p99": 7.0, "p999": 9.0, "max": 9.0}


def test_the_journal_has_gaps_too() -> None:
    gap_us: dict[int, int] = {}
    add_gaps(gap_us, [Noted(1, 100, 1), Noted(2, 101, 2), Noted(3, 103, 1), Noted(4, 101, 2), Noted(5, 104, 1)])
    assert gap_us == {3_000 >> 1 << 1: 1, 0: 1, 1_000: 1}
