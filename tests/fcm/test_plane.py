"""Google's plane over a real pair of connections, alone on its own hosts and beside APNs's where both answer."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import pytest

from simulator.apns.answer import RandomIds
from simulator.apns.link import Link
from simulator.apns.penalty import PenaltyRules
from simulator.apns.plane import STREAM_LIMIT_ABUSE_MAX
from simulator.devices.token_space import Environment
from simulator.fcm.plane import BLOCKS_KEPT_MAX, STREAMS_MAX
from simulator.host_owner import owner_of
from simulator.http2_session import Http2Session
from simulator.limits import Limits
from simulator.rates.rate_limits import RateLimits
from simulator.rates.rates import OFF, WindowRate
from simulator.session import SessionParts
from tests.apns.test_plane import frames_in
from tests.apns.valid_push import Push, jwt
from tests.apns.valid_push import device_token as apns_token
from tests.fcm.service_account import NOW_S
from tests.fcm.valid_send import SEED, Bench, Send, token_of
from wire import frames
from wire.client import ClientConnection
from wire.errors import ErrorCode
from wire.events import GoawayReceived
from wire.request import Head, Response

LOCALHOST, FCM, APPLE = "localhost", "fcm.googleapis.com", "api.push.apple.com"
PUSH = Push().with_token(jwt(issued_at_s=int(NOW_S) - 60))
BAD_PUSH = replace(PUSH, path=b"/3/device/nothex")
# One point more than nothing lowers the limit at once.
SENSITIVE = PenaltyRules(weight=1, bad_device_token_weight=1, forgiven=1, halving_points=1)


@dataclass
class Told:
    """What the server wrote in one turn: `limits`, the stream limit of a SETTINGS or "answer", in order."""

    limits: list[int | str]
    responses: Sequence[Response]
    goaways: list[GoawayReceived]

    @property
    def statuses(self) -> list[bytes | None]:
        return [response.head.value(b":status") for response in self.responses]


class Pair:
    """A client and one connection's session, joined by hand. `host`: by SNI; None: nothing was sent."""

    def __init__(self, host: str | None) -> None:
        self.bench = Bench()
        rig, limits = self.bench.rig, Limits()
        parts = SessionParts(
            rig, limits, limits.of_wire(), RandomIds(random.Random(7).randbytes), self.bench.service, lambda: NOW_S
        )
        link = Link.opened(host, Environment.PRODUCTION)
        self.session = Http2Session(parts, link, owner_of(host), 11, 1_000.0)
        self.client = ClientConnection()
        self.first = self.turn()
        self.turn()  # the client has acknowledged

    def turn(self) -> Told:
        """One read of the server, one write, one read of the client."""
        self.session.receive(self.client.data_to_send())
        written = self.session.data_to_send()
        limits: list[int | str] = []
        for each in frames_in(written):
            limits += [] if each.stream_limit is None else [each.stream_limit]
            limits += ["answer"] if each.kind == frames.HEADERS else []
        responses = self.client.receive_data(written)
        goaways = [event for event in self.client.take_events() if isinstance(event, GoawayReceived)]
        return Told(limits, responses, goaways)

    def queue(self, sent: Send | Push, authority: str = LOCALHOST) -> None:
        request = sent.request()
        fields = [(name, authority.encode() if name == b":authority" else value) for name, value in request.head.fields]
        path, apns_id = request.varying
        assert path is not None
        self.client.send(self.client.prepare(fields), path, apns_id, request.body)

    def send(self, *sent: Send | Push, authority: str = LOCALHOST) -> Told:
        """Send these in one write."""
        for each in sent:
            self.queue(each, authority)
        return self.turn()


def is_page(response: Response) -> bool:
    return response.head.value(b"content-type") == b"text/html; charset=UTF-8"


# Which provider answers


def test_a_send_is_answered_with_its_name() -> None:
    pair = Pair(FCM)
    (response,) = pair.send(Send()).responses
    assert (response.head.value(b":status"), response.head.value(b"content-type")) == (
        b"200",
        b"application/json; charset=UTF-8",
    )
    assert json.loads(response.body)["name"].startswith("projects/")
    assert pair.bench.mark(1) == (1, False)


def test_a_host_of_googles_knows_no_devices_of_apple() -> None:
    pair = Pair(FCM)
    for path in ("/3/device/" + "ab" * 32, "/", "/v1/projects"):
        (response,) = pair.send(Send(path=path)).responses
        assert response.head.value(b":status") == b"404"
        assert is_page(response)
    counters = pair.bench.rig.counters
    assert (counters.streams, counters.notifications, counters.google_calls) == (3, 0, {"unknown": 3})


def test_a_host_of_apples_knows_no_projects() -> None:
    (response,) = Pair(APPLE).send(Send()).responses
    assert (response.head.value(b":status"), response.body) == (b"404", b'{"reason":"BadPath"}')


@pytest.mark.parametrize(
    ("path", "authority", "googles"),
    [
        ("/v1/projects/elsewhere/x", LOCALHOST, True),
        ("/iid/info/x", LOCALHOST, True),
        ("/token", LOCALHOST, True),
        ("/batch", LOCALHOST, True),
        ("/fcm/send", LOCALHOST, True),
        ("/elsewhere", LOCALHOST, False),
        ("/elsewhere", FCM, True),
        ("/elsewhere", "IID.googleapis.com:8443", True),
        ("/v1/projects/elsewhere/x", APPLE, False),
    ],
)
def test_where_both_answer_the_authority_decides_and_then_the_path(path: str, authority: str, googles: bool) -> None:
    (response,) = Pair(LOCALHOST).send(Send(path=path), authority=authority).responses
    is_apns = response.body == b'{"reason":"BadPath"}'
    assert is_apns is not googles


def test_both_providers_are_answered_on_one_connection_in_the_order_of_their_requests() -> None:
    pair = Pair(LOCALHOST)
    pair.send(PUSH)
    told = pair.send(Send(), PUSH.to(apns_token(index=8)), Send().to("token", token_of(2)), BAD_PUSH)
    assert [response.stream_id for response in told.responses] == sorted(each.stream_id for each in told.responses)
    assert told.statuses == [b"200", b"200", b"200", b"400"]
    rig = pair.bench.rig
    assert (rig.counters.streams, rig.counters.notifications, rig.counters.accepted) == (5, 5, 4)
    assert [row.provider for row in pair.bench.rows()] == ["apns", "fcm", "apns", "fcm", "apns"]
    assert (rig.ledger.mark(1, 8), rig.ledger.mark(SEED, 2)) == ((1, False), (1, False))


def test_the_answer_to_head_has_no_body() -> None:
    (response,) = Pair(FCM).send(Send(method="HEAD")).responses
    assert (response.head.value(b":status"), response.body) == (b"404", b"")


# Streams


def test_a_host_of_googles_begins_with_a_hundred_streams_and_changes_nothing() -> None:
    pair = Pair(FCM)
    assert pair.first.limits == [STREAMS_MAX]
    assert pair.send(Send()).limits == ["answer"]


def test_elsewhere_the_first_send_makes_one_stream_a_hundred_and_the_first_push_a_thousand() -> None:
    pair = Pair(LOCALHOST)
    assert pair.first.limits == [1]
    assert pair.send(Send()).limits == [STREAMS_MAX, "answer"]
    assert pair.send(Send()).limits == ["answer"]
    assert pair.send(PUSH).limits == [1_000, "answer"]
    assert pair.send(Send(), PUSH).limits == ["answer", "answer"]


def test_a_send_after_a_push_takes_no_streams_away() -> None:
    pair = Pair(LOCALHOST)
    assert pair.send(PUSH).limits == [1_000, "answer"]
    assert pair.send(Send()).limits == ["answer"]


def test_a_refused_push_leaves_a_connection_of_google_its_streams() -> None:
    pair = Pair(LOCALHOST)
    pair.bench.rig.apns.penalty_rules = SENSITIVE
    pair.send(PUSH)
    assert pair.send(BAD_PUSH).limits == [500, "answer"]
    pair.send(Send())
    for _ in range(4):
        told = pair.send(BAD_PUSH)
    assert told.limits == ["answer"]
    assert pair.client.remote.streams_max == STREAMS_MAX


@pytest.mark.parametrize("host", [FCM, LOCALHOST])
def test_streams_over_the_limit_are_refused_and_in_the_end_the_connection(host: str) -> None:
    pair = Pair(host)
    pair.send(Send())
    pair.turn()  # the client has acknowledged
    pair.client.remote.streams_max = 1_000  # it has not understood
    # Answers wait for a window, so that the streams stay open.
    pair.client.send_raw(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 0}))
    pair.turn()
    told = pair.send(*[Send()] * (STREAMS_MAX + STREAM_LIMIT_ABUSE_MAX - 1))
    counters = pair.bench.rig.counters
    assert (counters.notifications, counters.resets_sent) == (1 + STREAMS_MAX, STREAM_LIMIT_ABUSE_MAX - 1)
    assert not told.goaways
    (goaway,) = pair.send(Send()).goaways
    assert (goaway.code, goaway.debug) == (ErrorCode.ENHANCE_YOUR_CALM, b"exceeded_max_concurrent_streams")
    assert pair.session.closing


def test_a_host_of_googles_says_so_even_to_who_has_had_no_answer() -> None:
    pair = Pair(FCM)
    pair.client.remote.streams_max = 1_000
    for _ in range(STREAMS_MAX + STREAM_LIMIT_ABUSE_MAX):
        prepared = pair.client.prepare([(b":method", b"POST"), (b":scheme", b"https"), (b":path", b"")])
        pair.client.send(prepared, b"/x", None, b"x" * 70_000)  # more than the window of the connection takes
    (goaway,) = pair.turn().goaways
    assert goaway.debug == b"exceeded_max_concurrent_streams"


# Bounds


def test_header_blocks_are_kept_up_to_a_bound() -> None:
    """Every wait makes one of its own."""
    pair = Pair(FCM)
    pair.bench.fcm.rates = RateLimits.of(msgspec.structs.replace(OFF, fcm_project=WindowRate(count=1, per_s=3_600)))
    pair.send(Send())
    for _ in range(3 * BLOCKS_KEPT_MAX):
        pair.bench.now_s += 1
        (response,) = pair.send(Send()).responses
        wait_s = NOW_S + 3_600 - pair.bench.now_s
        assert response.head.value(b"retry-after") == b"%d" % wait_s
        assert len(pair.session._google_plane._blocks) <= BLOCKS_KEPT_MAX


def test_a_client_that_resets_its_send_gets_no_answer_and_the_rest_goes_on() -> None:
    pair = Pair(FCM)
    pair.queue(Send())
    data = pair.client.data_to_send() + frames.rst_stream_frame(1, ErrorCode.CANCEL)
    pair.session.receive(data)
    assert pair.bench.rig.counters.resets_received == 1
    pair.queue(Send().to("token", token_of(2)))
    pair.session.receive(pair.client.data_to_send())
    written = frames_in(pair.session.data_to_send())
    assert {frame.stream_id for frame in written if frame.kind == frames.HEADERS} == {3}
    assert [pair.bench.mark(index)[0] for index in (1, 2)] == [1, 1]


def test_a_send_without_a_path_is_a_page_that_is_not_there() -> None:
    """CONNECT has none, and HTTP/2 lets it through."""
    request = Send().request(Head(((b":method", b"CONNECT"), (b":authority", b"fcm.googleapis.com"))))
    request.varying = (None, None)
    assert Bench().service.answer(request, 11, 0.0).status == 404
