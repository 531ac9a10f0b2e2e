"""Every row of the order of FCM's checks refuses what it should, and the earlier of two faults decides."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import pytest

from simulator.devices.fates import Fate
from simulator.devices.registration_space import Platform, fid_of, malformed_registration
from simulator.fcm.errors import Cause
from simulator.fcm.service import BODY_LIMIT
from simulator.fcm.state import ApnsCredential, FcmCondition
from simulator.rates.rate_limits import RateLimits
from simulator.rates.rates import BucketRate, FanoutRate, Rates, WindowRate
from simulator.registry import DeviceState
from tests.fcm.fcm_state import APPLICATION
from tests.fcm.service_account import NOW_S, access_tokens
from tests.fcm.valid_send import SEED, Bench, Send, token_of

USERINFO = "https://www.googleapis.com/auth/userinfo.email"
ONCE_A_DAY = BucketRate(count=1, per_s=86_400)
ROWS = ("2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "16")
"""Of D4. Row 1 is the service's, and 15 and 17 accept."""

Spoil = Callable[[Bench, Send], Send]


@dataclass(frozen=True)
class Slip:
    """How to spoil a valid send so that one row refuses it. `spoils`: what is touched, or has to stay, in words; two with a
    word in common exclude each other."""

    row: str
    cause: Cause
    spoils: str
    spoil: Spoil
    title: str = ""

    def __str__(self) -> str:
        return f"{self.row} {self.cause.wire_name} {self.title}".rstrip()


def _of(**changes: Any) -> Spoil:
    return lambda bench, send: replace(send, **changes)


def _with(**message: Any) -> Spoil:
    return lambda bench, send: send.having(**message)


def _to(kind: str, text: str) -> Spoil:
    return lambda bench, send: send.to(kind, text)


def _credential(scope: str, minted_at_s: float) -> Spoil:
    return _of(authorization=f"Bearer {access_tokens().mint(scope, minted_at_s)}")


def _state(**fields: object) -> Spoil:
    def spoil(bench: Bench, send: Send) -> Send:
        for name, value in fields.items():
            setattr(bench.fcm, name, value)
        return send

    return spoil


def _used_up(rates: Rates, used_by: Send | None = None) -> Spoil:
    """The rates given, and used: by the send that is to be spoiled, where no other is given."""

    def spoil(bench: Bench, send: Send) -> Send:
        fresh = Bench()
        fresh.fcm.rates = RateLimits.of(rates)
        assert fresh.judge(used_by or Send()).fault is None
        bench.fcm.rates = fresh.fcm.rates
        return send

    return spoil


def _fan_outs_under_way(bench: Bench, send: Send) -> Send:
    rates = RateLimits.of(Rates(fcm_project=None, fcm_fanouts=FanoutRate(concurrent=1, deliveries_per_s=1)))
    assert rates.fanouts is not None
    rates.fanouts.begin(1_000, NOW_S)
    bench.fcm.rates = rates
    return send.to("topic", "news")


def _topic_used_up(bench: Bench, send: Send) -> Send:
    rates = Rates(fcm_project=None, fcm_topic=ONCE_A_DAY)
    return _used_up(rates, Send().to("topic", "news"))(bench, send).to("topic", "news")


def _fid(token: str) -> str:
    fid = fid_of(token.encode())
    assert fid is not None
    return fid.decode()


LARGE = "x" * 4_096
WHOLE_BODY = "more name target notification data android webpush"
IOS = token_of(1, platform=Platform.IOS)

SLIPS = (
    Slip("2", Cause.UNAVAILABLE, "condition", _state(condition=FcmCondition.UNAVAILABLE)),
    Slip("2", Cause.INTERNAL, "condition", _state(condition=FcmCondition.INTERNAL_ERROR)),
    Slip("2", Cause.BAD_GATEWAY, "condition", _state(condition=FcmCondition.BAD_GATEWAY)),
    Slip("3", Cause.CREDENTIAL_MISSING, "authorization", _of(authorization=None)),
    Slip("3", Cause.CREDENTIAL_INVALID, "authorization", _of(authorization="Bearer ya29.stranger")),
    Slip("3", Cause.CREDENTIAL_EXPIRED, "authorization", _credential("", NOW_S - 3_600)),
    Slip("4", Cause.SCOPE_INSUFFICIENT, "authorization", _credential(USERINFO, NOW_S)),
    Slip("5", Cause.PERMISSION_DENIED, "path", _of(path="/v1/projects/elsewhere/messages:send")),
    Slip("5", Cause.SERVICE_DISABLED, "api", _state(api_enabled=False)),
    Slip("6", Cause.PROJECT_QUOTA, "rates", _used_up(Rates(fcm_project=WindowRate(count=1, per_s=60)))),
    Slip("7", Cause.JSON_INVALID, WHOLE_BODY, _of(body=b"{"), "no JSON"),
    Slip("7", Cause.JSON_INVALID, "more", _of(more={"massage": 1}), "unknown name"),
    Slip("7", Cause.JSON_INVALID, "name", _with(name=["x"]), "type"),
    Slip("7", Cause.JSON_INVALID, "target", _with(topic=""), "two targets, the second empty"),
    Slip("8", Cause.RECIPIENT_MISSING, "target", _of(target=None)),
    Slip("8", Cause.RECIPIENT_MISSING, "target", _to("token", ""), "empty"),
    Slip("8", Cause.RECIPIENT_MISSING, WHOLE_BODY, _of(body=b"{}"), "no message"),
    Slip("9", Cause.DATA_KEY_RESERVED, "data", _with(data={"from": "x"})),
    Slip("9", Cause.FIELD_INVALID, "android", _with(android={"ttl": "2419201s"})),
    Slip("9", Cause.WEBPUSH_TTL_INVALID, "webpush", _with(webpush={"headers": {"TTL": "soon"}})),
    Slip("9", Cause.CONDITION_INVALID, "target", _to("condition", "'a' in topics &&")),
    Slip("9", Cause.TOPIC_INVALID, "target", _to("topic", "/topics/a")),
    Slip("10", Cause.MESSAGE_TOO_LARGE, "notification", _with(notification={"body": LARGE})),
    Slip("11", Cause.TOKEN_MALFORMED, "target", _to("token", malformed_registration(SEED, 1))),
    Slip("11", Cause.TOKEN_MALFORMED, "target", _to("fid", token_of(1)), "a token for a FID"),
    Slip("12", Cause.SENDER_ID_MISMATCH, "target", _to("token", token_of(1, Fate.OTHER_SENDER))),
    Slip("12", Cause.SENDER_ID_MISMATCH, "target", _to("fid", _fid(token_of(1, Fate.OTHER_SENDER))), "FID"),
    Slip("13", Cause.UNREGISTERED, "target", _to("token", token_of(1, Fate.UNREGISTERED))),
    Slip("13", Cause.UNREGISTERED, "target", _to("token", token_of(1, Fate.STALE)), "stale"),
    Slip("13", Cause.UNREGISTERED, "target", _to("fid", _fid(token_of(1, Fate.STALE))), "FID"),
    Slip(
        "13", Cause.PACKAGE_MISMATCH, "android target", _with(android={"restricted_package_name": "com.example.other"})
    ),
    Slip(
        "14",
        Cause.DEVICE_QUOTA,
        "rates target",
        _used_up(Rates(fcm_project=None, fcm_android_device_minute=ONCE_A_DAY)),
    ),
    Slip("14", Cause.TOPIC_QUOTA, "rates target", _topic_used_up),
    Slip("14", Cause.MESSAGE_QUOTA, "rates target", _fan_outs_under_way),
    Slip(
        "16",
        Cause.THIRD_PARTY_AUTH,
        "target",
        lambda bench, send: _state(apns_credential=ApnsCredential.INVALID)(bench, send).to("token", IOS),
    ),
)

NOT_ANSWERED_HERE = {
    Cause.APNS_REJECTED,  # see test_apns_relay.py
    Cause.SUBSCRIPTION_EXISTS,
    Cause.ENTITY_NOT_FOUND,
    Cause.SUBSCRIPTION_QUOTA,
    Cause.TOO_MANY_TOPICS,
}


def _spoiled(*slips: Slip) -> tuple[Bench, Send]:
    bench, send = Bench(), Send()
    for slip in slips:
        send = slip.spoil(bench, send)
    return bench, send


def _cause(bench: Bench, send: Send) -> Cause | None:
    fault = bench.judge(send).fault
    return None if fault is None else fault.cause


@pytest.mark.parametrize("dry", [False, True])
def test_the_unspoilt_send_is_accepted(dry: bool) -> None:
    assert _cause(Bench(), Send().dry if dry else Send()) is None


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_each_row_refuses_what_it_should(slip: Slip) -> None:
    assert _cause(*_spoiled(slip)) is slip.cause


@pytest.mark.parametrize("slip", [slip for slip in SLIPS if slip.spoils != WHOLE_BODY], ids=str)
def test_a_dry_run_passes_the_same_checks_but_that_of_apns(slip: Slip) -> None:
    bench, send = _spoiled(slip)
    assert _cause(bench, send.dry) is (None if slip.row == "16" else slip.cause)


@pytest.mark.parametrize("slip", [slip for slip in SLIPS if slip.spoils not in ("authorization", "path")], ids=str)
def test_each_row_refuses_it_behind_a_caller_cleared_before_too(slip: Slip) -> None:
    bench, head = Bench(), Send().head()
    assert bench.judge(Send().dry, head).fault is None
    send = slip.spoil(bench, Send())
    fault = bench.judge(send, head).fault
    assert fault is not None
    assert fault.cause is slip.cause


def test_every_row_and_every_cause_is_here() -> None:
    assert {slip.row for slip in SLIPS} == set(ROWS)
    assert {slip.cause for slip in SLIPS} | NOT_ANSWERED_HERE == set(Cause)


PAIRS = [
    (first, second)
    for first, second in combinations(SLIPS, 2)
    if first.row != second.row and not set(first.spoils.split()) & set(second.spoils.split())
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]} & {pair[1]}")
def test_the_earlier_of_two_slips_decides(pair: tuple[Slip, Slip]) -> None:
    first, second = pair
    assert ROWS.index(first.row) < ROWS.index(second.row)
    assert _cause(*_spoiled(*pair)) is first.cause


def _both(*spoils: Spoil) -> Spoil:
    def spoil(bench: Bench, send: Send) -> Send:
        for each in spoils:
            send = each(bench, send)
        return send

    return spoil


def _gone_by_hand(bench: Bench, send: Send) -> Send:
    bench.fcm.overlay.set(token_of(1).encode(), DeviceState(Fate.UNREGISTERED, 0))
    return send


OTHER_PACKAGE = _with(android={"restricted_package_name": "com.example.other"})

# Neighbours whose slips touch the same place, made to go together by hand.
TOGETHER: dict[tuple[str, str], tuple[Spoil, Cause]] = {
    ("3", "4"): (_credential(USERINFO, NOW_S - 3_600), Cause.CREDENTIAL_EXPIRED),
    ("7", "8"): (_of(body=b'{"message":{"token":1}}'), Cause.JSON_INVALID),
    ("8", "9"): (_both(_of(target=None), _with(data={"from": "x"})), Cause.RECIPIENT_MISSING),
    ("11", "12"): (_to("token", token_of(1, Fate.OTHER_SENDER) + "!"), Cause.TOKEN_MALFORMED),
    ("12", "13"): (_both(_to("token", token_of(1, Fate.OTHER_SENDER)), OTHER_PACKAGE), Cause.SENDER_ID_MISMATCH),
    ("13", "14"): (
        _both(_used_up(Rates(fcm_project=None, fcm_android_device_minute=ONCE_A_DAY)), _gone_by_hand),
        Cause.UNREGISTERED,
    ),
    ("14", "16"): (
        _both(
            _state(apns_credential=ApnsCredential.INVALID),
            _to("token", IOS),
            _used_up(Rates(fcm_project=None, fcm_ios_device=ONCE_A_DAY), Send().to("token", IOS).dry),
        ),
        Cause.DEVICE_QUOTA,
    ),
}


@pytest.mark.parametrize("rows", TOGETHER, ids="-".join)
def test_the_earlier_of_two_slips_in_one_place_decides(rows: tuple[str, str]) -> None:
    spoil, cause = TOGETHER[rows]
    bench = Bench()
    assert _cause(bench, spoil(bench, Send())) is cause


def test_all_pairs_of_neighbours_are_covered() -> None:
    covered = {(first.row, second.row) for first, second in PAIRS} | set(TOGETHER)
    assert set(pairwise(ROWS)) <= covered


@pytest.mark.parametrize("kind", ["token", "fid"])
def test_a_package_that_is_the_applications_own_passes(kind: str) -> None:
    send = Send().to(kind, token_of(1) if kind == "token" else _fid(token_of(1)))
    assert _cause(Bench(), send.having(android={"restricted_package_name": APPLICATION})) is None


def test_the_service_looks_for_the_route_and_the_size_before_all_else() -> None:
    """Row 1: the page of a path that is none comes before any fault of the state."""
    bench = Bench()
    bench.fcm.condition = FcmCondition.UNAVAILABLE
    for send in (
        replace(Send(), method="GET"),
        replace(Send(), path=Send().path + "s"),
        replace(Send(), path="/batch"),
    ):
        answer = bench.send(replace(send, authorization=None))
        assert (answer.status, answer.body[:15]) == (404, b"<!DOCTYPE html>")
    assert bench.send(Send()).status == 503
    assert BODY_LIMIT not in bench.rig.counters.limits_reached
