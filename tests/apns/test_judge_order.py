"""Every row of the judging order refuses what it should, and the earlier of two faults decides."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import pytest

from simulator.apns.certificate import UNREADABLE, ClientCertificate
from simulator.apns.judge import ACCEPTED, CHECKS, Needs, Verdict
from simulator.apns.link import Link
from simulator.apns.reasons import Reason
from simulator.apns.state import Condition
from simulator.devices.fates import Fate
from simulator.devices.token_space import DEFAULT_EPOCH_MS, Environment
from tests.apns.valid_push import (
    FOREIGN_TOKEN,
    INSTANT_S,
    NOW_S,
    OTHER_KEY_ID,
    OTHER_PRIVATE_KEY,
    SANDBOX_KEY_ID,
    TOPIC,
    UNKNOWN_KEY_ID,
    Bench,
    Push,
    device_token,
    jwt,
)

Spoil = Callable[[Bench, Push], Push]


@dataclass(frozen=True)
class Fault:
    """How to spoil a valid push so that one row refuses it. `spoils`: what is touched; two with the same exclude each other."""

    row: str
    reason: Reason
    spoils: str
    spoil: Spoil
    title: str = ""


def _of(**changes: Any) -> Spoil:
    return lambda bench, push: replace(push, **changes)


def _token(**changes: Any) -> Spoil:
    return lambda bench, push: push.with_token(jwt(**changes))


def _sent_to(**changes: Any) -> Spoil:
    return lambda bench, push: push.to(device_token(**changes))


def _condition(condition: Condition) -> Spoil:
    def spoil(bench: Bench, push: Push) -> Push:
        bench.apns.condition = condition
        return push

    return spoil


def _certificate_of_sandbox(bench: Bench, push: Push) -> Push:
    certificate = ClientCertificate((TOPIC,), frozenset({Environment.SANDBOX}))
    bench.link = Link.opened("api.push.apple.com", Environment.PRODUCTION, certificate)
    return push


def _certificate_unreadable(bench: Bench, push: Push) -> Push:
    bench.link = Link.opened("api.push.apple.com", Environment.PRODUCTION, UNREADABLE)
    return push


def _bound_elsewhere(bench: Bench, push: Push) -> Push:
    assert bench.judge(Push().with_token(jwt(key_id=OTHER_KEY_ID))) is ACCEPTED
    return push


def _token_changed(bench: Bench, push: Push) -> Push:
    assert bench.judge(Push().with_token(jwt(issued_at_s=int(NOW_S) - 61))) is ACCEPTED
    return push


def _team_without_topic(bench: Bench, push: Push) -> Push:
    bench.apns.set_team_topics("TEAM000001", ["com.example.another"])
    return push


def _rate_reached(bench: Bench, push: Push) -> Push:
    bench.apns.device_rate = lambda token, now_s: True
    return push


def _connection_rate_reached(bench: Bench, push: Push) -> Push:
    bench.link.number = 7
    bench.apns.connection_rate = lambda number, now_s: number == 7
    return push


def _provider_token_rate_reached(bench: Bench, push: Push) -> Push:
    bench.apns.provider_token_rate = lambda text, now_s: True
    return push


def _json_bomb(bench: Bench, push: Push) -> Push:
    return replace(push, body=b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}")


FAULTS = (
    Fault("0b", Reason.BAD_CERTIFICATE_ENVIRONMENT, "certificate", _certificate_of_sandbox),
    Fault("1", Reason.SHUTDOWN, "condition", _condition(Condition.SHUTTING_DOWN)),
    Fault("1", Reason.SERVICE_UNAVAILABLE, "condition", _condition(Condition.UNAVAILABLE)),
    Fault("1", Reason.INTERNAL_SERVER_ERROR, "condition", _condition(Condition.INTERNAL_ERROR)),
    Fault("2", Reason.METHOD_NOT_ALLOWED, "method", _of(method=b"GET")),
    Fault("3", Reason.BAD_PATH, "path", _of(path=b"/4/device/" + FOREIGN_TOKEN)),
    Fault("3", Reason.BAD_PATH, "path", _of(path=b"/3/device/" + FOREIGN_TOKEN + b"/"), "one segment more"),
    Fault("3", Reason.BAD_PATH, "path", _of(path=b"/3/device/" + FOREIGN_TOKEN + b"?a=1"), "query"),
    Fault("3", Reason.BAD_PATH, "path", _of(path=b"/3/device"), "no last slash"),
    Fault("3", Reason.BAD_PATH, "path", _of(path=None), "none"),
    Fault("4", Reason.DUPLICATE_HEADERS, "more", _of(more=((b"apns-channel-id", b"a"), (b"apns-channel-id", b"a")))),
    Fault("4", Reason.DUPLICATE_HEADERS, "more", _of(more=((b"apns-id", b""),)), "apns-id"),
    Fault("5", Reason.MISSING_PROVIDER_TOKEN, "authorization", _of(authorization=None)),
    Fault("5", Reason.MISSING_PROVIDER_TOKEN, "authorization", _of(authorization=b""), "empty"),
    Fault("5", Reason.MISSING_PROVIDER_TOKEN, "authorization", _of(authorization=b"bearer "), "bearer alone"),
    Fault("5", Reason.MISSING_PROVIDER_TOKEN, "authorization", _of(authorization=b"basic eHg6eQ=="), "basic"),
    Fault("5", Reason.BAD_CERTIFICATE, "certificate", _certificate_unreadable),
    Fault("6", Reason.INVALID_PROVIDER_TOKEN, "authorization", _of(authorization=b"bearer x")),
    Fault("6", Reason.INVALID_PROVIDER_TOKEN, "authorization", _token(key_id=UNKNOWN_KEY_ID), "unknown key"),
    Fault("6", Reason.INVALID_PROVIDER_TOKEN, "authorization", _token(private_key=OTHER_PRIVATE_KEY), "signature"),
    Fault("6", Reason.INVALID_PROVIDER_TOKEN, "authorization", _token(issued_at_s=int(NOW_S) + 301), "born ahead"),
    Fault("7", Reason.EXPIRED_PROVIDER_TOKEN, "authorization", _token(issued_at_s=int(NOW_S) - 3601)),
    Fault("8", Reason.BAD_ENVIRONMENT_KEY_IN_TOKEN, "authorization", _token(key_id=SANDBOX_KEY_ID)),
    Fault("9", Reason.UNRELATED_KEY_ID_IN_TOKEN, "standing", _bound_elsewhere),
    Fault("10", Reason.TOO_MANY_PROVIDER_TOKEN_UPDATES, "standing", _token_changed),
    Fault("11", Reason.MISSING_DEVICE_TOKEN, "path", _of(path=b"/3/device/")),
    Fault("12", Reason.BAD_MESSAGE_ID, "apns-id", _of(apns_id=b"7")),
    Fault("12", Reason.BAD_MESSAGE_ID, "apns-id", _of(apns_id=b""), "empty"),
    Fault("12", Reason.BAD_MESSAGE_ID, "apns-id", _of(apns_id=b"g917ca4b-ae9f-4549-45f7-0123456789ab"), "not hex"),
    Fault("12", Reason.BAD_MESSAGE_ID, "apns-id", _of(apns_id=b"d917ca4bae9f454945f70123456789ab"), "no hyphens"),
    Fault("13", Reason.BAD_EXPIRATION_DATE, "expiration", _of(expiration=b"tomorrow")),
    Fault("13", Reason.BAD_EXPIRATION_DATE, "expiration", _of(expiration=b"-1"), "negative"),
    Fault("13", Reason.BAD_EXPIRATION_DATE, "expiration", _of(expiration=b"1.5"), "fraction"),
    Fault("13", Reason.BAD_EXPIRATION_DATE, "expiration", _of(expiration=b"%d" % 2**63), "beyond 64 bits"),
    Fault("14", Reason.BAD_PRIORITY, "priority", _of(priority=b"7")),
    Fault("14", Reason.BAD_PRIORITY, "priority", _of(priority=b"05"), "leading zero"),
    Fault("14", Reason.BAD_PRIORITY, "priority", _of(push_type=b"background"), "10 for a background push"),
    Fault("15", Reason.BAD_COLLAPSE_ID, "collapse-id", _of(collapse_id=b"c" * 65)),
    Fault("16", Reason.INVALID_PUSH_TYPE, "push-type", _of(push_type=b"pigeon")),
    Fault("16", Reason.INVALID_PUSH_TYPE, "push-type", _of(push_type=b"Alert"), "case"),
    Fault("17", Reason.MISSING_TOPIC, "topic", _of(topic=None)),
    Fault("17", Reason.MISSING_TOPIC, "topic", _of(topic=b""), "empty"),
    Fault("18", Reason.BAD_TOPIC, "topic", _of(topic=b"com example")),
    Fault("18", Reason.BAD_TOPIC, "topic", _of(topic=b"a" * 256), "too long"),
    Fault("18", Reason.BAD_TOPIC, "topic", _of(topic=TOPIC + b".voip"), "suffix of another push type"),
    Fault("19", Reason.TOPIC_DISALLOWED, "team", _team_without_topic),
    Fault("20", Reason.PAYLOAD_EMPTY, "body", _of(body=b"")),
    Fault("21", Reason.PAYLOAD_TOO_LARGE, "body", _of(body=b'{"a":"%b"}' % (b"x" * 4089))),
    Fault("22", Reason.PAYLOAD_EMPTY, "body", _of(body=b"[]")),
    Fault("22", Reason.PAYLOAD_EMPTY, "body", _of(body=b'{"a":'), "cut short"),
    Fault("22", Reason.PAYLOAD_EMPTY, "body", _of(body=b'{"a":"\xff"}'), "not UTF-8"),
    Fault("22", Reason.PAYLOAD_EMPTY, "body", _json_bomb, "nested too deep"),
    Fault("23", Reason.BAD_DEVICE_TOKEN, "path", _of(path=b"/3/device/xyz0")),
    Fault("23", Reason.BAD_DEVICE_TOKEN, "path", _of(path=b"/3/device/abc"), "odd length"),
    Fault("23", Reason.BAD_DEVICE_TOKEN, "path", _of(path=b"/3/device/" + b"ab" * 257), "too long"),
    Fault("23", Reason.BAD_DEVICE_TOKEN, "path", _sent_to(environment=Environment.SANDBOX), "other environment"),
    Fault("24", Reason.DEVICE_TOKEN_NOT_FOR_TOPIC, "path", _sent_to(topic=b"com.example.another")),
    Fault("25", Reason.UNREGISTERED, "path", _sent_to(fate=Fate.UNREGISTERED)),
    Fault("25", Reason.UNREGISTERED, "path", _sent_to(fate=Fate.REREGISTERED), "before it came back"),
    Fault("25", Reason.EXPIRED_TOKEN, "path", _sent_to(fate=Fate.EXPIRED)),
    Fault("25b", Reason.TOO_MANY_REQUESTS, "connection rate", _connection_rate_reached),
    Fault("25c", Reason.TOO_MANY_REQUESTS, "token rate", _provider_token_rate_reached),
    Fault("26", Reason.TOO_MANY_REQUESTS, "rate", _rate_reached),
)

NOT_ANSWERED_BY_THE_JUDGE = {
    Reason.IDLE_TIMEOUT,  # debug data of a GOAWAY
    Reason.FORBIDDEN,  # no documented case
    Reason.BAD_ENVIRONMENT_KEY_ID_IN_TOKEN,  # behind a switch, tested with it
}


def _name(fault: Fault) -> str:
    return f"{fault.row} {fault.reason.wire_name} {fault.title}".rstrip()


def _spoiled(*faults: Fault) -> tuple[Bench, Push]:
    """A bench and push with these faults; changes of the push come last, so that none undoes another."""
    bench, push = Bench(), Push()
    for fault in faults:
        push = fault.spoil(bench, push)
    return bench, push


def test_the_unspoilt_push_is_accepted() -> None:
    assert Bench().judge(Push()) is ACCEPTED


@pytest.mark.parametrize("fault", FAULTS, ids=_name)
def test_each_row_refuses_what_it_should(fault: Fault) -> None:
    bench, push = _spoiled(fault)
    verdict = bench.judge(push)
    assert verdict.reason is fault.reason
    if fault.reason.status == 410:
        assert verdict.timestamp_ms == DEFAULT_EPOCH_MS + INSTANT_S * 1000
    else:
        assert verdict.timestamp_ms is None


_OF_REQUEST = {check.number for check in CHECKS if check.needs is Needs.REQUEST}


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.row in _OF_REQUEST], ids=_name)
def test_each_row_about_the_request_refuses_it_behind_a_cleared_head_too(fault: Fault) -> None:
    bench, head = Bench(), Push().head()
    assert bench.judge(Push(), head) is ACCEPTED
    push = fault.spoil(bench, Push())
    assert bench.judge(push, head).reason is fault.reason


def test_every_row_and_every_reason_has_a_fault_here() -> None:
    assert {fault.row for fault in FAULTS} == {check.number for check in CHECKS} - {"–"}
    assert {fault.reason for fault in FAULTS} | NOT_ANSWERED_BY_THE_JUDGE == set(Reason)


_ROWS = [check.number for check in CHECKS]
_PAIRS = [
    (first, second)
    for first, second in combinations(FAULTS, 2)
    if first.row != second.row
    and first.spoils != second.spoils
    and "certificate" not in (first.spoils, second.spoils)
    # A connection bound beforehand needs that the request before was accepted, under rules as they were.
    and not (second.spoils == "standing" and first.spoils in ("condition", "authorization"))
    and not (first.spoils == "standing" and second.spoils in ("team", "rate", "connection rate", "token rate"))
    # Background pushes and suffixes are faults of two headers at once.
    and "10 for a background push" not in (first.title, second.title)
    # Here the device token decides between two reasons (see test_push_types_and_topics.py).
    and not (first.title == "suffix of another push type" and second.row == "24")
]


@pytest.mark.parametrize("pair", _PAIRS, ids=lambda pair: f"{_name(pair[0])} & {_name(pair[1])}")
def test_the_earlier_of_two_faults_decides(pair: tuple[Fault, Fault]) -> None:
    first, second = pair
    assert _ROWS.index(first.row) < _ROWS.index(second.row)
    bench, push = _spoiled(*pair)
    assert bench.judge(push).reason is first.reason


def _both(*spoils: Spoil) -> Spoil:
    def spoil(bench: Bench, push: Push) -> Push:
        for each in spoils:
            push = each(bench, push)
        return push

    return spoil


# Adjacent rows whose faults touch the same place, made to go together by hand.
TOGETHER: dict[tuple[str, str], tuple[Spoil, Reason]] = {
    ("0b", "1"): (
        _both(_certificate_of_sandbox, _condition(Condition.UNAVAILABLE)),
        Reason.BAD_CERTIFICATE_ENVIRONMENT,
    ),
    ("5", "6"): (_of(authorization=b"basic x"), Reason.MISSING_PROVIDER_TOKEN),
    ("6", "7"): (
        _token(key_id=UNKNOWN_KEY_ID, issued_at_s=int(NOW_S) - 3601),
        Reason.INVALID_PROVIDER_TOKEN,
    ),
    ("7", "8"): (
        _token(key_id=SANDBOX_KEY_ID, issued_at_s=int(NOW_S) - 3601),
        Reason.EXPIRED_PROVIDER_TOKEN,
    ),
    ("8", "9"): (_both(_bound_elsewhere, _token(key_id=SANDBOX_KEY_ID)), Reason.BAD_ENVIRONMENT_KEY_IN_TOKEN),
    # The current token is per key: an unrelated key is refused before the change of token is looked at.
    ("9", "10"): (_both(_bound_elsewhere, _token(issued_at_s=int(NOW_S) - 61)), Reason.UNRELATED_KEY_ID_IN_TOKEN),
    ("17", "18"): (_of(topic=b"", push_type=b"voip"), Reason.MISSING_TOPIC),
    ("20", "21"): (_of(body=b""), Reason.PAYLOAD_EMPTY),
    ("21", "22"): (_of(body=b"[" * 4097), Reason.PAYLOAD_TOO_LARGE),
    ("23", "24"): (
        _sent_to(environment=Environment.SANDBOX, topic=b"com.example.another"),
        Reason.BAD_DEVICE_TOKEN,
    ),
    ("24", "25"): (
        _sent_to(fate=Fate.UNREGISTERED, topic=b"com.example.another"),
        Reason.DEVICE_TOKEN_NOT_FOR_TOPIC,
    ),
}


@pytest.mark.parametrize("rows", TOGETHER, ids="-".join)
def test_the_earlier_of_two_faults_in_one_place_decides(rows: tuple[str, str]) -> None:
    spoil, reason = TOGETHER[rows]
    bench = Bench()
    push = spoil(bench, Push())
    assert bench.judge(push).reason is reason


def test_every_pair_of_neighbours_is_covered() -> None:
    covered = {(first.row, second.row) for first, second in _PAIRS} | set(TOGETHER)
    neighbours = set(pairwise(number for number in _ROWS if number != "–"))
    assert neighbours <= covered


def test_a_rejection_without_timestamp_is_a_shared_object() -> None:
    push = replace(Push(), body=b"")
    assert Bench().judge(push) is Bench().judge(push)


def test_the_verdict_of_a_dead_device_carries_its_instant() -> None:
    bench, push = Bench(), Push().to(device_token(fate=Fate.UNREGISTERED, instant_s=99))
    bench.apns.epoch_ms = 5_000
    assert bench.judge(push) == Verdict(Reason.UNREGISTERED, 104_000)
