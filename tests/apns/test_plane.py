"""The plane over a real pair of connections: what the client sees on the wire, and what the simulator notes of it."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import pytest

from simulator.apns.answer import RandomIds
from simulator.apns.certificate import UNREADABLE, ClientCertificate
from simulator.apns.link import STREAMS_BEFORE_TOKEN, STREAMS_MAX, Link
from simulator.apns.penalty import PenaltyRules
from simulator.apns.plane import STREAM_LIMIT_ABUSE_MAX, ApnsPlane, first_settings
from simulator.clock import Clock
from simulator.counters import Counters
from simulator.devices.fates import Fate
from simulator.devices.token_space import DEFAULT_EPOCH_MS, Environment
from simulator.journal import Journal, Wanted
from simulator.ledger import Ledger
from simulator.rig import Rig
from tests.apns.valid_push import (
    APNS_ID,
    BODY,
    FOREIGN_TOKEN,
    INSTANT_S,
    NOW_S,
    TOKEN,
    TOPIC,
    Push,
    apns_state,
    device_token,
)
from tests.fcm.fcm_state import fcm_state
from wire import frames
from wire.client import ClientConnection
from wire.errors import ErrorCode
from wire.events import GoawayReceived, StreamRefused
from wire.request import Response
from wire.server import ServerConnection
from wire.settings import SETTINGS_UNACKNOWLEDGED_MAX

MADE_UP_ID = re.compile(rb"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}")
BAD_TOKEN = Push(path=b"/3/device/nothex")
CERTIFICATE = ClientCertificate((TOPIC, TOPIC + b".voip"), frozenset(Environment))
# One point more than nothing lowers the limit at once, one success takes it all away.
SENSITIVE = PenaltyRules(weight=1, bad_device_token_weight=1, forgiven=1, halving_points=1)


class Frame(NamedTuple):
    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def stream_limit(self) -> int | None:
        """The MAX_CONCURRENT_STREAMS in a SETTINGS frame."""
        if self.kind != frames.SETTINGS or self.flags & frames.ACK:
            return None
        entries = [self.payload[at : at + 6] for at in range(0, len(self.payload), 6)]
        values = {int.from_bytes(entry[:2]): int.from_bytes(entry[2:]) for entry in entries}
        return values.get(frames.MAX_CONCURRENT_STREAMS)


def frames_in(data: bytes) -> list[Frame]:
    """The frames in whole bytes, a client's preface left out."""
    data = data.removeprefix(frames.PREFACE)
    found, at = [], 0
    while at < len(data):
        high, low, kind, flags, stream_id = frames.FRAME_HEADER.unpack_from(data, at)
        end = at + 9 + (high << 16 | low)
        found.append(Frame(kind, flags, stream_id, data[at + 9 : end]))
        at = end
    return found


def without_acks(data: bytes) -> bytes:
    """What a client sends that does not acknowledge SETTINGS."""
    preface = frames.PREFACE if data.startswith(frames.PREFACE) else b""
    kept = [each for each in frames_in(data) if not (each.kind == frames.SETTINGS and each.flags & frames.ACK)]
    return preface + b"".join(frames.frame(*each) for each in kept)


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
    """A client and the plane of one connection, joined by hand. What the listener does with events is done here too."""

    def __init__(
        self,
        host: str = "api.push.apple.com",
        certificate: ClientCertificate | None = None,
        penalty_rules: PenaltyRules | None = None,
        *,
        acknowledges: bool = True,
    ) -> None:
        apns = apns_state()
        apns.penalty_rules = penalty_rules
        self.rig = Rig(Clock(lambda: NOW_S), apns.overlay, Ledger(), Journal(1_000), Counters(), apns, fcm_state(apns))
        self.link = Link.opened(host, Environment.PRODUCTION, certificate)
        self.server = ServerConnection(first_settings(self.link))
        ids = RandomIds(random.Random(7).randbytes)
        self.plane = ApnsPlane(self.rig, self.server, self.link, 11, ids)
        self.client = ClientConnection()
        self.acknowledges = acknowledges
        self.first = self.turn()
        self.turn()  # the client has acknowledged

    def turn(self) -> Told:
        """One read of the server, one write, one read of the client."""
        data = self.client.data_to_send()
        requests = self.server.receive_data(data if self.acknowledges else without_acks(data))
        assert self.server.failed is None
        if requests:
            self.plane.answer(requests)
        for event in self.server.take_events():
            if isinstance(event, StreamRefused):
                self.plane.stream_refused()
        written = self.server.data_to_send()
        limits: list[int | str] = []
        for each in frames_in(written):
            limits += [] if each.stream_limit is None else [each.stream_limit]
            limits += ["answer"] if each.kind == frames.HEADERS else []
        responses = self.client.receive_data(written)
        goaways = [event for event in self.client.take_events() if isinstance(event, GoawayReceived)]
        return Told(limits, responses, goaways)

    def send(self, push: Push) -> None:
        prepared = self.client.prepare(
            [(name, b"" if name == b":path" else value) for name, value in push.head().fields]
        )
        assert push.path is not None
        self.client.send(prepared, push.path, push.apns_id, push.body)

    def push(self, push: Push | None = None) -> Told:
        """Send one push and read what comes of it."""
        self.send(push or Push())
        return self.turn()


# Stream limits


def test_one_stream_is_announced_and_a_thousand_ahead_of_the_first_answer() -> None:
    pair = Pair()
    assert pair.first.limits == [STREAMS_BEFORE_TOKEN]
    assert pair.push().limits == [STREAMS_MAX, "answer"]
    assert pair.push().limits == ["answer"]


def test_a_refused_credential_raises_nothing_and_a_refused_push_does() -> None:
    pair = Pair()
    assert pair.push(Push(authorization=b"bearer x")).limits == ["answer"]
    assert pair.push(replace(Push(), body=b"")).limits == [STREAMS_MAX, "answer"]


def test_a_client_certificate_has_all_streams_in_the_first_settings() -> None:
    pair = Pair(certificate=CERTIFICATE)
    assert pair.first.limits == [STREAMS_MAX]
    told = pair.push(Push(authorization=b"bearer of nothing", topic=TOPIC))
    assert (told.limits, told.statuses) == (["answer"], [b"200"])


# Ids, bodies


def test_the_apns_id_comes_back_as_it_was_sent() -> None:
    pair = Pair()
    (accepted,) = pair.push().responses
    assert accepted.varying[0] == APNS_ID
    (refused,) = pair.push(BAD_TOKEN).responses
    assert refused.varying[0] == APNS_ID


def test_a_malformed_apns_id_comes_back_with_its_rejection() -> None:
    (refused,) = Pair().push(Push(apns_id=b"mine")).responses
    assert (refused.head.value(b":status"), refused.varying[0]) == (b"400", b"mine")


@pytest.mark.parametrize("push", [Push(apns_id=None), replace(BAD_TOKEN, apns_id=None)])
def test_a_missing_apns_id_is_made_up(push: Push) -> None:
    pair = Pair()
    drawn = {pair.push(push).responses[0].varying[0] for _ in range(2)}
    assert len(drawn) == 2
    assert all(made_up is not None and MADE_UP_ID.fullmatch(made_up) for made_up in drawn)


def test_the_sandbox_alone_adds_a_unique_id_and_to_accepted_pushes_alone() -> None:
    sandbox = Pair("api.sandbox.push.apple.com")
    to_sandbox = Push().to(device_token(environment=Environment.SANDBOX))
    drawn = {sandbox.push(to_sandbox).responses[0].varying[1] for _ in range(3)}
    assert len(drawn) == 3
    assert all(unique is not None and MADE_UP_ID.fullmatch(unique) for unique in drawn)
    assert sandbox.push(BAD_TOKEN).responses[0].varying[1] is None
    assert Pair().push().responses[0].varying[1] is None


def test_bodies_are_compact_and_410_tells_since_when() -> None:
    pair = Pair()
    died_at_ms = DEFAULT_EPOCH_MS + INSTANT_S * 1000
    for push, status, body in (
        (Push(), b"200", b""),
        (BAD_TOKEN, b"400", b'{"reason":"BadDeviceToken"}'),
        (
            Push().to(device_token(fate=Fate.UNREGISTERED)),
            b"410",
            b'{"reason":"Unregistered","timestamp":%d}' % died_at_ms,
        ),
    ):
        (response,) = pair.push(push).responses
        assert (response.head.value(b":status"), response.body) == (status, body)


# What is noted


def test_every_answer_is_in_ledger_journal_and_counters() -> None:
    pair = Pair()
    pair.rig.ledger.declare(1, 10)
    pair.push(Push().to(device_token(index=7)))
    pair.push(Push().to(device_token(Fate.UNREGISTERED, index=8)))
    pair.push(Push().to(FOREIGN_TOKEN))

    (view,) = pair.rig.ledger.view().populations
    assert (view.accepted_once, view.rejected, view.never) == (1, 1, 8)
    assert (view.rejected_indices.indices, view.answers_by_reason) == ([8], {"Unregistered": 1})

    rows = [numbered.entry for numbered in pair.rig.journal.search(Wanted(), 10, newest_first=False).entries]
    assert [(row.status, row.reason, row.stream_id) for row in rows] == [
        (200, None, 1),
        (410, "Unregistered", 3),
        (200, None, 5),
    ]
    first = rows[0]
    assert (first.at_ms, first.provider, first.environment) == (int(NOW_S * 1000), "apns", Environment.PRODUCTION)
    assert (first.token, first.message_id, first.body, first.connection_id) == (TOKEN, APNS_ID, BODY, 11)
    assert first.head.value(b"apns-topic") == TOPIC

    counters = pair.rig.counters
    assert (counters.notifications, counters.streams, counters.accepted, counters.rejected) == (3, 3, 2, 1)
    assert counters.rejected_by_reason == {"Unregistered": 1}


# Streams over the limit


def _refused(count: int) -> tuple[Pair, Told]:
    """A client that knows its limit of one, and opens `count` streams more all the same."""
    pair = Pair()
    pair.client.remote.streams_max = STREAMS_MAX
    for _ in range(1 + count):
        pair.send(Push())
    return pair, pair.turn()


def test_streams_over_the_limit_are_refused_and_tolerated_for_a_while() -> None:
    pair, told = _refused(STREAM_LIMIT_ABUSE_MAX - 1)
    assert (told.statuses, told.goaways) == ([b"200"], [])
    assert not pair.plane.closing
    assert pair.rig.counters.notifications == 1


def test_a_client_that_keeps_on_is_told_to_go() -> None:
    pair, told = _refused(STREAM_LIMIT_ABUSE_MAX + 5)
    (goaway,) = told.goaways
    assert goaway.code == ErrorCode.ENHANCE_YOUR_CALM
    assert goaway.debug == b"Maximum active streams violated for this endpoint."
    assert pair.plane.closing
    assert pair.rig.counters.goaways_sent == 1


# The throttle


def test_errors_lower_the_limit_and_a_success_restores_it_ahead_of_its_answer() -> None:
    pair = Pair(penalty_rules=SENSITIVE)
    assert pair.push().limits == [STREAMS_MAX, "answer"]
    assert pair.push(BAD_TOKEN).limits == [STREAMS_MAX // 2, "answer"]
    assert pair.push(BAD_TOKEN).limits == [STREAMS_MAX // 4, "answer"]
    assert pair.push().limits == [STREAMS_MAX // 2, "answer"]
    assert pair.push().limits == [STREAMS_MAX, "answer"]
    assert pair.push().limits == ["answer"]


def test_without_the_throttle_errors_change_nothing() -> None:
    pair = Pair()
    pair.push()
    assert [pair.push(BAD_TOKEN).limits for _ in range(300)] == [["answer"]] * 300


def test_a_throttle_that_is_switched_off_gives_the_streams_back() -> None:
    pair = Pair(penalty_rules=SENSITIVE)
    pair.push()
    pair.push(BAD_TOKEN)
    pair.rig.apns.penalty_rules = None
    assert pair.push().limits == [STREAMS_MAX, "answer"]


def test_too_many_errors_end_the_connection_after_their_answers() -> None:
    pair = Pair(penalty_rules=PenaltyRules(closing_points=12))
    told = [pair.push(BAD_TOKEN) for _ in range(3)]
    assert [each.statuses for each in told] == [[b"400"]] * 3
    assert [len(each.goaways) for each in told] == [0, 0, 1]
    (goaway,) = told[2].goaways
    assert (goaway.code, goaway.debug) == (ErrorCode.ENHANCE_YOUR_CALM, b'{"reason":"TooManyRequests"}')
    assert (goaway.last_stream_id, goaway.unprocessed) == (5, ())
    assert pair.plane.closing


def test_a_client_that_acknowledges_no_settings_is_served_with_the_limit_it_has() -> None:
    pair = Pair(penalty_rules=SENSITIVE, acknowledges=False)
    assert pair.push().limits == [STREAMS_MAX, "answer"]
    told = []
    for _ in range(SETTINGS_UNACKNOWLEDGED_MAX):
        told += [pair.push(BAD_TOKEN), pair.push()]
    assert [each.statuses for each in told] == [[b"400"], [b"200"]] * SETTINGS_UNACKNOWLEDGED_MAX
    announced = [limit for each in told for limit in each.limits if limit != "answer"]
    assert len(announced) == SETTINGS_UNACKNOWLEDGED_MAX - 2  # the first SETTINGS, and the thousand streams
    assert not pair.plane.closing

    # Once it has caught up it hears of changes again.
    pair.acknowledges = True
    pair.client.send_raw(frames.SETTINGS_ACK * SETTINGS_UNACKNOWLEDGED_MAX)
    pair.turn()
    assert pair.push(BAD_TOKEN).limits == [STREAMS_MAX // 2, "answer"]


# Client certificates


@pytest.mark.parametrize("host", ["api.sandbox.push.apple.com", "localhost"])
def test_a_certificate_of_the_other_environment_is_sent_away_at_once(host: str) -> None:
    environment = Environment.SANDBOX if host == "localhost" else Environment.PRODUCTION
    pair = Pair(host, replace(CERTIFICATE, environments=frozenset({environment})))
    (goaway,) = pair.first.goaways
    assert (goaway.code, goaway.last_stream_id) == (ErrorCode.NO_ERROR, 0)
    assert goaway.debug == b'{"reason":"BadCertificateEnvironment"}'
    assert pair.plane.closing
    assert pair.rig.counters.goaways_sent == 1


def test_an_authority_of_the_other_environment_is_answered_when_it_comes() -> None:
    pair = Pair("localhost", replace(CERTIFICATE, environments=frozenset({Environment.PRODUCTION})))
    head = [
        (name, b"api.sandbox.push.apple.com" if name == b":authority" else value)
        for name, value in Push().head().fields
    ]
    pair.client.send(pair.client.prepare(head), b"/3/device/" + TOKEN, APNS_ID, BODY)
    (response,) = pair.turn().responses
    assert response.body == b'{"reason":"BadCertificateEnvironment"}'
    assert not pair.plane.closing


def test_a_single_topic_is_the_default_and_of_several_one_must_be_named() -> None:
    unnamed = Push(authorization=None, topic=None)
    assert Pair(certificate=ClientCertificate((TOPIC,))).push(unnamed).statuses == [b"200"]
    assert Pair(certificate=CERTIFICATE).push(unnamed).responses[0].body == b'{"reason":"MissingTopic"}'


def test_a_topic_outside_the_certificate_is_disallowed() -> None:
    push = Push(authorization=None, topic=b"com.example.other").to(device_token(topic=b"com.example.other"))
    assert Pair(certificate=CERTIFICATE).push(push).responses[0].body == b'{"reason":"TopicDisallowed"}'


def test_a_certificate_that_nobody_can_read_is_a_bad_one_even_beside_a_good_token() -> None:
    (response,) = Pair(certificate=UNREADABLE).push(Push()).responses
    assert (response.head.value(b":status"), response.body) == (b"403", b'{"reason":"BadCertificate"}')
