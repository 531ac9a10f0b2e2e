"""What faults of connections plan, as values: at a request, at an opening, at the door."""

import msgspec
import pytest

from simulator.devices.fates import Provider
from simulator.faults.asked import Asked
from simulator.faults.disconnect import DisconnectFault
from simulator.faults.draws import Draws
from simulator.faults.expired_token import CONNECTIONS_MAX, CREDENTIALS_MAX, ExpiredTokenFault
from simulator.faults.fault import Play
from simulator.faults.goaway import GoawayFault
from simulator.faults.handshake import HandshakeFault
from simulator.faults.idle_close import IdleCloseFault
from simulator.faults.ignored_ping import IgnoredPingFault
from simulator.faults.line import (
    USUAL_HANDSHAKE,
    USUAL_OPENING,
    Act,
    Announce,
    AnswerPings,
    AskPing,
    End,
    Ending,
    Goaway,
    Handshake,
    IdleClose,
    Later,
    LoseAnswers,
    Opening,
    RefillWindow,
    Stall,
    StreamLimit,
    StrictStreams,
)
from simulator.faults.line_fault import LineFault
from simulator.faults.maintenance import MaintenanceFault
from simulator.faults.outage import OutageFault
from simulator.faults.outcome import NOTHING_YET, Outcome, Oversized, Reset, Silent
from simulator.faults.oversized_frame import OversizedFrameFault
from simulator.faults.ping import PingFault
from simulator.faults.quota import QuotaFault
from simulator.faults.settings_change import SettingsChangeFault
from simulator.faults.stall import StallFault
from simulator.faults.starved_windows import StarvedWindowsFault
from simulator.faults.stream_limit import StreamLimitFault
from simulator.faults.strict_streams import StrictStreamsFault
from simulator.http_answer import HttpAnswer
from wire.frames import HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE

DRAWS = Draws(b"1/1", b"token", 1, 1)
ACCEPTED = Outcome(HttpAnswer(200, (), b""))
REJECTED = Outcome(HttpAnswer(400, (), b"{}"), "BadDeviceToken")


def asked(
    provider: Provider = Provider.APNS,
    *,
    credential: bytes = b"bearer old",
    connection: int = 1,
    stream: int = 9,
    now_s: float = 1_000.0,
) -> Asked:
    path = b"/3/device/ab" if provider is Provider.APNS else b"/v1/projects/p/messages:send"
    return Asked(
        provider, True, path, b"ab", None, None, None, connection, 5, b"id", "123", now_s, credential, stream=stream
    )


def played(fault: LineFault, outcome: Outcome = ACCEPTED) -> Outcome:
    return fault.play(outcome, asked(), DRAWS)


CLOSE, RESET = End(Ending.CLOSE), End(Ending.RESET)
STARVED, FED = ((INITIAL_WINDOW_SIZE, 1),), Announce(((INITIAL_WINDOW_SIZE, 65_535),))

ACTS: list[tuple[LineFault, tuple[Act, ...], bool]] = [
    (GoawayFault(), (Goaway(0, "this", b""),), False),
    (GoawayFault(code=11, debug="x", last_stream="before"), (Goaway(11, "before", b"x"),), True),
    (GoawayFault(last_stream="none"), (Goaway(0, "none", b""),), True),
    (GoawayFault(twice=True), (Goaway(0, "max", b""), Goaway(0, "this", b"")), False),
    (
        GoawayFault(last_stream="all", answers_lost=True, then="reset"),
        (LoseAnswers(), Goaway(0, "all", b""), RESET),
        True,
    ),
    (GoawayFault(then="close", then_after_s=2), (Goaway(0, "this", b""), Later(2, CLOSE)), False),
    (DisconnectFault(), (LoseAnswers(), LoseAnswers(), RESET), True),
    (DisconnectFault(how="half-close", answers_lost=False), (End(Ending.HALF_CLOSE),), False),
    (DisconnectFault(after_s=3), (LoseAnswers(), Later(3, LoseAnswers()), Later(3, RESET)), True),
    (StallFault(for_s=5), (Later(5, RESET), Stall(5)), True),
    (StallFault(for_s=5, then="go-on"), (Stall(5),), False),
    (StarvedWindowsFault(when="request"), (Announce(STARVED),), False),
    (
        StarvedWindowsFault(when="request", connection=True, for_s=4),
        (Announce(STARVED), RefillWindow(False), Later(4, FED), Later(4, RefillWindow(True))),
        False,
    ),
    (SettingsChangeFault(header_table_bytes=0), (Announce(((HEADER_TABLE_SIZE, 0),)),), False),
    (
        SettingsChangeFault(window_bytes=1, frame_bytes=16_384),
        (Announce(((INITIAL_WINDOW_SIZE, 1), (MAX_FRAME_SIZE, 16_384))),),
        False,
    ),
    (IgnoredPingFault(when="request"), (AnswerPings(False),), False),
    (IgnoredPingFault(when="request", for_s=2), (AnswerPings(False), Later(2, AnswerPings(True))), False),
    (PingFault(), (AskPing(),), False),
    (StreamLimitFault(streams=3), (StreamLimit(3),), False),
]


@pytest.mark.parametrize(("fault", "acts", "lost"), ACTS, ids=[str(fault) for fault, _, _ in ACTS])
def test_what_is_done_at_a_request_and_whether_it_loses_its_answer(
    fault: LineFault, acts: tuple[Act, ...], lost: bool
) -> None:
    assert fault.on_requests
    assert not fault.on_opening
    expected = ACCEPTED._replace(acts=acts)
    assert played(fault) == (expected._replace(manner=Silent()) if lost else expected)
    # Before the judge, whose answer is lost is not processed; all others are.
    assert played(fault, NOTHING_YET).decided is lost


def test_acts_of_several_faults_follow_each_other() -> None:
    both = played(StreamLimitFault(streams=3), played(GoawayFault()))
    assert both.acts == (Goaway(0, "this", b""), StreamLimit(3))


OPENINGS: list[tuple[LineFault, Opening]] = [
    (GoawayFault(when="opening"), Opening(acts=(Goaway(0, "this", b""),))),
    (
        GoawayFault(when="before-settings", then="close"),
        Opening(greeted=False, acts=(Goaway(0, "this", b""), CLOSE)),
    ),
    (DisconnectFault(when="opening", answers_lost=False), Opening(acts=(RESET,))),
    (StallFault(when="opening", for_s=5, then="close"), Opening(acts=(Later(5, CLOSE), Stall(5)))),
    (IdleCloseFault(idle_s=7, how="reset"), Opening(idle_close=IdleClose(7, Ending.RESET))),
    (
        StreamLimitFault(when="opening", streams=2),
        Opening(((MAX_CONCURRENT_STREAMS, 2),), acts=(StreamLimit(2),)),
    ),
    (
        StrictStreamsFault(code=7, debug="x", at_once=True),
        Opening(strict_streams=StrictStreams(7, b"x", at_once=True)),
    ),
    (
        StarvedWindowsFault(connection=True, for_s=4),
        Opening(STARVED, acts=(RefillWindow(False), Later(4, FED), Later(4, RefillWindow(True)))),
    ),
    (SettingsChangeFault(when="opening", header_table_bytes=0), Opening(((HEADER_TABLE_SIZE, 0),))),
    (IgnoredPingFault(), Opening(acts=(AnswerPings(False),))),
    (PingFault(when="opening"), Opening(acts=(AskPing(),))),
]


@pytest.mark.parametrize(("fault", "opening"), OPENINGS, ids=[str(fault) for fault, _ in OPENINGS])
def test_what_is_done_at_an_opening(fault: LineFault, opening: Opening) -> None:
    assert fault.on_opening
    assert not fault.on_requests
    assert fault.open(USUAL_OPENING) == opening


def test_openings_of_several_faults_add_up() -> None:
    both = IgnoredPingFault().open(GoawayFault(when="opening").open(USUAL_OPENING))
    assert both.acts == (Goaway(0, "this", b""), AnswerPings(False))


def test_a_limit_moves_with_rejections_and_successes() -> None:
    fault = StreamLimitFault(when="rejection", until="success", then_streams=500)
    assert played(fault, REJECTED).acts == (StreamLimit(1),)
    assert played(fault).acts == (StreamLimit(500),)
    lowered = StreamLimitFault(when="rejection")
    assert played(lowered, REJECTED).acts == (StreamLimit(1),)
    assert played(lowered) is ACCEPTED
    opened = StreamLimitFault(when="opening", until="success")
    assert opened.on_requests
    assert opened.on_opening
    assert played(opened, REJECTED) is REJECTED
    assert played(opened).acts == (StreamLimit(None),)
    reset = Outcome(manner=Reset(8))
    assert played(fault, reset) is reset


@pytest.mark.parametrize(
    ("fault", "options", "why"),
    [
        (StreamLimitFault, {"until": "success"}, "goes with when=opening or when=rejection"),
        (StreamLimitFault, {"then_streams": 5}, "give until=success with it"),
        (SettingsChangeFault, {}, "changes nothing"),
        (HandshakeFault, {}, "changes nothing"),
        (GoawayFault, {"code": -1}, "code"),
        (GoawayFault, {"last_stream": "first"}, "last_stream"),
        (StallFault, {"for_s": 1e9}, "for_s"),
        (SettingsChangeFault, {"frame_bytes": 16_383}, "frame_bytes"),
        (IdleCloseFault, {"idle_s": 0}, "idle_s"),
        (ExpiredTokenFault, {"after_requests": 0}, "after_requests"),
        (QuotaFault, {"window_s": 0}, "window_s"),
    ],
)
def test_options_that_make_no_sense_are_refused(fault: type, options: dict[str, object], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(options, fault)


def test_handshakes_add_up_and_the_worst_is_kept() -> None:
    slow, lost = HandshakeFault(delay_s=2), HandshakeFault(delay_s=1, manner="silent", silent_s=30)
    expected = Handshake(3, "silent", 30)
    assert slow.meet(lost.meet(USUAL_HANDSHAKE)) == lost.meet(slow.meet(USUAL_HANDSHAKE)) == expected


def test_an_oversized_frame_needs_an_answer() -> None:
    fault = OversizedFrameFault()
    assert fault.play(ACCEPTED, asked(), DRAWS).manner == Oversized()
    assert fault.play(NOTHING_YET, asked(), DRAWS) is NOTHING_YET


# The provider's state


@pytest.mark.parametrize(
    ("provider", "kind", "status", "reason"),
    [
        (Provider.APNS, "unavailable", 503, "ServiceUnavailable"),
        (Provider.APNS, "internal-error", 500, "InternalServerError"),
        (Provider.APNS, "bad-gateway", 503, "ServiceUnavailable"),
        (Provider.FCM, "unavailable", 503, "UNAVAILABLE"),
        (Provider.FCM, "internal-error", 500, "INTERNAL"),
        (Provider.FCM, "bad-gateway", 502, "UNAVAILABLE"),
    ],
)
def test_an_outage_answers_as_the_provider_would(provider: Provider, kind: str, status: int, reason: str) -> None:
    fault = OutageFault(kind=kind, retry_after_s=9)  # type: ignore[arg-type]
    outcome = fault.play(NOTHING_YET, asked(provider), DRAWS)
    assert outcome.answer is not None
    assert (outcome.answer.status, outcome.reason) == (status, reason)
    assert (b"retry-after", b"9") in outcome.answer.fields
    assert (b"<html" in outcome.answer.body.lower()) == (status == 502)


@pytest.mark.parametrize(("provider", "debug"), [(Provider.APNS, b'{"reason":"Shutdown"}'), (Provider.FCM, b"")])
def test_maintenance_says_goodbye_in_the_providers_words(provider: Provider, debug: bytes) -> None:
    outcome = MaintenanceFault(close_after_s=1).play(NOTHING_YET, asked(provider), DRAWS)
    assert outcome.answer is not None
    assert outcome.answer.status == 503
    assert outcome.acts == (Goaway(0, "this", debug), Later(1, CLOSE))
    assert MaintenanceFault(goaway=False).play(NOTHING_YET, asked(provider), DRAWS).acts == ()


@pytest.mark.parametrize(("now_s", "left_s"), [(0.0, b"60"), (59.5, b"1"), (60.0, b"60"), (61.0, b"59")])
def test_a_quota_says_how_long_its_window_lasts(now_s: float, left_s: bytes) -> None:
    for provider, reason in ((Provider.APNS, "TooManyRequests"), (Provider.FCM, "RESOURCE_EXHAUSTED")):
        outcome = QuotaFault().play(NOTHING_YET, asked(provider, now_s=now_s), DRAWS)
        assert outcome.answer is not None
        assert (outcome.answer.status, outcome.reason) == (429, reason)
        assert dict(outcome.answer.fields)[b"retry-after"] == left_s
    silent = QuotaFault(retry_after=False).play(NOTHING_YET, asked(), DRAWS)
    assert silent.answer is not None
    assert b"retry-after" not in dict(silent.answer.fields)


# Expired tokens


def expiry(**options: object) -> Play:
    return msgspec.convert({"after_requests": 2, **options}, ExpiredTokenFault).at_work()


def statuses(play: Play, *requests: Asked) -> list[int | Reset | None]:
    """Of each: the status of its answer, its reset, or None when it goes on to the judge."""
    found: list[int | Reset | None] = []
    for each in requests:
        outcome = play(NOTHING_YET, each, DRAWS)
        if isinstance(outcome.manner, Reset):
            found.append(outcome.manner)
        else:
            found.append(None if outcome.answer is None else outcome.answer.status)
    return found


def test_tokens_in_use_expire_at_once_and_others_pass() -> None:
    play = expiry(resets=2)
    other = asked(credential=b"bearer also old", connection=2)
    new = asked(credential=b"bearer new")
    assert statuses(play, asked(), other, asked(), new, other) == [None, None, 403, None, 403]
    assert statuses(play, *[asked()] * 4) == [Reset(7), Reset(5), 403, 403]


def test_the_limit_falls_with_the_first_refusal_on_a_connection_and_rises_with_a_new_token() -> None:
    play, new = expiry(resets=0), asked(credential=b"bearer new")
    outcomes = [play(NOTHING_YET, each, DRAWS).acts for each in (asked(), asked(), new, asked(), asked(), new)]
    assert outcomes == [(), (), (), (StreamLimit(1),), (), (StreamLimit(None),)]
    untouched = expiry(resets=0, limit_streams=False)
    assert not any(untouched(NOTHING_YET, each, DRAWS).acts for each in (asked(), asked(), asked(), new))


def test_googles_tokens_expire_with_401_and_http1_knows_no_resets() -> None:
    fcm = asked(Provider.FCM, stream=0)
    assert statuses(expiry(), fcm, fcm, fcm, fcm, fcm) == [None, None, 401, 401, 401]


def test_what_an_expiry_remembers_is_bounded() -> None:
    play = expiry(after_requests=CREDENTIALS_MAX + 1, resets=0)
    statuses(play, *(asked(credential=b"%d" % at) for at in range(CREDENTIALS_MAX + 1)))
    last_kept, beyond = (asked(credential=b"%d" % at) for at in (CREDENTIALS_MAX - 1, CREDENTIALS_MAX))
    assert statuses(play, last_kept, beyond) == [403, None]
    connections = (asked(credential=b"0", connection=2 + at) for at in range(CONNECTIONS_MAX))
    statuses(play, *connections)
    # The first connection was forgotten: it is told anew, and its limit lowered again.
    assert play(NOTHING_YET, asked(credential=b"0"), DRAWS).acts == (StreamLimit(1),)
