"""The short way for heads already cleared gives the verdicts of the long one, and nothing raises whatever comes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.apns.judge import ACCEPTED, ClearedHead, judge, verdicts
from simulator.apns.keys import ProviderKey
from simulator.apns.link import Link
from simulator.apns.reasons import Reason
from simulator.apns.state import Condition, UnknownTokens
from simulator.devices.fates import Fate, Provider
from simulator.devices.token_space import Environment, unseal_all
from simulator.registry import DeviceState
from tests.apns.valid_push import (
    APNS_ID,
    BODY,
    FOREIGN_TOKEN,
    JWT,
    KEY_ID,
    NOW_S,
    OTHER_PRIVATE_KEY,
    PRIVATE_KEY,
    RELATED_KEY_ID,
    TEAM,
    TOKEN,
    TOPIC,
    Bench,
    Push,
    device_token,
    jwt,
    new_link,
)
from wire.request import Head, Request

device_tokens = st.one_of(
    st.builds(
        device_token,
        fate=st.sampled_from(Fate.of_provider(Provider.APNS)),
        topic=st.sampled_from([TOPIC, TOPIC + b".voip", b"com.example.other"]),
        environment=st.sampled_from(Environment),
    ),
    st.sampled_from([TOKEN, TOKEN.upper(), FOREIGN_TOKEN, b"", b"a", b"zz", b"ab/cd", b"ab?c", b"ab" * 300]),
    st.binary(max_size=70),
)
paths = st.one_of(
    device_tokens.map(lambda token: b"/3/device/" + token),
    st.sampled_from([None, b"", b"/3/device", b"/4/device/" + TOKEN, b"/3/device/" + TOKEN + b"/"]),
)
apns_ids = st.sampled_from([None, APNS_ID, APNS_ID.upper(), APNS_ID[:-1], b"", b"\xff" * 36])
bodies = st.one_of(
    st.sampled_from(
        [BODY, b"{}", b"", b"[]", b"null", b'{"a":"\xff"}', b'{"\xc3\xa9":1}', b'{"a":"%b"}' % (b"x" * 4088)]
        + [b'{"a":' + b"[" * depth + b"]" * depth + b"}" for depth in (510, 511, 512, 1500, 2040)]
    ),
    st.binary(max_size=40),
)
valid_heads = st.builds(
    Push,
    topic=st.sampled_from([TOPIC, TOPIC + b".voip"]),
    push_type=st.none(),
    priority=st.sampled_from([None, b"5"]),
    more=st.sampled_from([(), ((b"x", b"1"), (b"x", b"2"))]),
)
spoilt_heads = st.builds(
    Push,
    method=st.sampled_from([b"POST", b"POST", b"POST", b"GET"]),
    authorization=st.sampled_from(
        [b"bearer " + JWT] * 4
        + [b"bearer " + jwt(key_id=RELATED_KEY_ID), b"bearer " + jwt(issued_at_s=int(NOW_S) + 5), None, b"bearer x"]
    ),
    topic=st.sampled_from([TOPIC, TOPIC, TOPIC + b".voip", b"com.example.other", None, b"!"]),
    push_type=st.sampled_from([None, b"alert", b"voip", b"background", b"x"]),
    priority=st.sampled_from([None, b"5", b"10", b"2"]),
    expiration=st.sampled_from([None, b"0", b"x"]),
    collapse_id=st.sampled_from([None, b"c", b"c" * 65]),
    more=st.sampled_from([(), (), (), ((b"apns-topic", TOPIC),), ((b"x", b"1"), (b"x", b"2"))]),
)
# Mostly one thing is drawn and the rest is valid: several faults at once would hide each other.
varying_values = st.one_of(
    st.tuples(paths, st.just(APNS_ID), st.just(BODY)),
    st.tuples(st.just(b"/3/device/" + TOKEN), apns_ids, st.just(BODY)),
    st.tuples(st.sampled_from([b"/3/device/" + TOKEN, b"/3/device/" + FOREIGN_TOKEN]), st.just(APNS_ID), bodies),
    st.tuples(paths, apns_ids, bodies),
)
# Of TOKEN, set by hand; mostly nothing is.
states = st.sampled_from([*[None] * 12, *(DeviceState(fate, 77_000) for fate in Fate.of_provider(Provider.APNS))])


def _prepared(unknown: UnknownTokens, overlaid: DeviceState | None, rate_reached: bool | None, refuse: bool) -> Bench:
    bench = Bench()
    bench.apns.unknown_tokens = unknown
    if overlaid is not None:
        bench.apns.overlay.set(TOKEN, overlaid)
    if rate_reached is not None:
        bench.apns.device_rate = lambda token, now_s: rate_reached
    if refuse:
        bench.apns.set_team_topics(TEAM, ["com.example.other"])
    return bench


@settings(max_examples=400, deadline=None)
@given(
    head=st.one_of(valid_heads, valid_heads, spoilt_heads),
    varying=st.lists(varying_values, min_size=1, max_size=4),
    later_s=st.sampled_from([0.0, 0.0, 0.0, 60.0, 1_300.0, 3_600.0, -10_000.0]),
    unknown=st.sampled_from(UnknownTokens),
    overlaid=states,
    rate_reached=st.sampled_from([None, None, None, False, True]),
    refuse=st.sampled_from([False, False, False, True]),
)
def test_the_short_way_agrees_with_the_long_one(
    head: Push,
    varying: list[tuple[bytes | None, bytes | None, bytes]],
    later_s: float,
    unknown: UnknownTokens,
    overlaid: DeviceState | None,
    rate_reached: bool | None,
    refuse: bool,
) -> None:
    short, long = (_prepared(unknown, overlaid, rate_reached, refuse) for _ in range(2))
    shared = head.head()
    # Clears the head where it can be cleared.
    for bench in (short, long):
        bench.judge(head, shared if bench is short else None)
    for path, apns_id, body in varying:
        short.now_s += later_s
        long.now_s += later_s
        # apns-id may be absent: the head then lacks the field, which no check looks at.
        push = replace(head, path=path, apns_id=apns_id, body=body)
        assert short.judge(push, shared) == long.judge(push, head.head())


@settings(max_examples=200, deadline=None)
@given(
    heads=st.lists(st.one_of(valid_heads, spoilt_heads), min_size=1, max_size=3),
    pushes=st.lists(st.tuples(st.integers(0, 2), varying_values), min_size=1, max_size=8),
    unknown=st.sampled_from(UnknownTokens),
    overlaid=states,
    rate_reached=st.sampled_from([None, None, None, False, True]),
)
def test_the_pushes_of_one_read_are_judged_as_if_each_had_come_alone(
    heads: list[Push],
    pushes: list[tuple[int, tuple[bytes | None, bytes | None, bytes]]],
    unknown: UnknownTokens,
    overlaid: DeviceState | None,
    rate_reached: bool | None,
) -> None:
    together, alone = (_prepared(unknown, overlaid, rate_reached, False) for _ in range(2))
    shared = [head.head() for head in heads]
    chosen = [
        (at % len(heads), replace(heads[at % len(heads)], path=path, apns_id=apns_id, body=body))
        for at, (path, apns_id, body) in pushes
    ]
    requests = [push.request(shared[at]) for at, push in chosen]
    tokens = [push.token for _, push in chosen]
    judged = verdicts(requests, tokens, unseal_all(tokens), together.link, together.apns, together.now_s)
    assert list(judged) == [alone.judge(push, push.head()) for _, push in chosen]


def _cleared() -> tuple[Bench, Head]:
    bench, head = Bench(), Push().head()
    assert bench.judge(Push(), head) is ACCEPTED
    assert type(head.memo) is ClearedHead
    return bench, head


def test_a_head_is_cleared_even_if_its_first_push_is_refused_for_body_or_device() -> None:
    bench, head = Bench(), Push().head()
    assert bench.judge(replace(Push(), body=b""), head).reason is Reason.PAYLOAD_EMPTY
    assert type(head.memo) is ClearedHead


def test_a_head_is_not_cleared_by_a_push_that_got_no_further_than_the_path() -> None:
    bench, head = Bench(), Push().head()
    assert bench.judge(Push().to(b""), head).reason is Reason.MISSING_DEVICE_TOKEN
    assert head.memo is None


def test_a_cleared_head_expires_with_its_token() -> None:
    bench, head = _cleared()
    bench.now_s += 3_540
    assert bench.judge(Push(), head) is ACCEPTED
    bench.now_s += 1
    assert bench.judge(Push(), head).reason is Reason.EXPIRED_PROVIDER_TOKEN


def test_a_cleared_head_does_not_outlive_its_key() -> None:
    bench, head = _cleared()
    bench.apns.add_key(ProviderKey(TEAM, KEY_ID, OTHER_PRIVATE_KEY.public_key()))
    assert bench.judge(Push(), head).reason is Reason.INVALID_PROVIDER_TOKEN
    bench.apns.add_key(ProviderKey(TEAM, KEY_ID, PRIVATE_KEY.public_key()))
    assert bench.judge(Push(), head) is ACCEPTED
    bench.apns.remove_key(TEAM, KEY_ID)
    assert bench.judge(Push(), head).reason is Reason.INVALID_PROVIDER_TOKEN


def test_a_cleared_head_does_not_outlive_the_service() -> None:
    bench, head = _cleared()
    bench.apns.condition = Condition.UNAVAILABLE
    assert bench.judge(Push(), head).reason is Reason.SERVICE_UNAVAILABLE
    bench.apns.condition = Condition.OK
    assert bench.judge(Push(), head) is ACCEPTED


def test_a_cleared_head_does_not_outlive_the_token_that_was_current() -> None:
    bench, head = _cleared()
    bench.now_s += 1200
    assert bench.judge(Push().with_token(jwt(issued_at_s=int(NOW_S)))) is ACCEPTED
    assert bench.judge(Push(), head).reason is Reason.TOO_MANY_PROVIDER_TOKEN_UPDATES


def test_a_head_cleared_on_one_connection_counts_for_no_other() -> None:
    bench, head = _cleared()
    bench.link = Link.opened("api.sandbox.push.apple.com", Environment.PRODUCTION)
    assert bench.judge(Push(), head).reason is Reason.BAD_DEVICE_TOKEN


def test_a_cleared_head_with_an_accepted_push_never_looks_at_its_fields_again() -> None:
    bench, head = _cleared()
    head.fields = ()
    assert bench.judge(Push(), head) is ACCEPTED


def test_the_first_push_of_a_read_clears_the_head_for_the_next() -> None:
    bench, push = Bench(), Push()
    head = push.head()
    requests = [push.request(head), push.request(head)]
    judged = verdicts(requests, [push.token] * 2, [push.device()] * 2, bench.link, bench.apns, bench.now_s)
    assert next(judged) is ACCEPTED
    head.fields = ()
    assert next(judged) is ACCEPTED


anything = st.binary(max_size=120)
names = st.sampled_from(
    [
        b":method",
        b":path",
        b":authority",
        b"host",
        b"authorization",
        b"apns-topic",
        b"apns-id",
        b"apns-push-type",
        b"apns-priority",
        b"apns-expiration",
        b"apns-collapse-id",
        b"x",
        b"",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    fields=st.lists(st.tuples(names, anything), max_size=12),
    path=st.none() | anything | anything.map(lambda token: b"/3/device/" + token),
    apns_id=st.none() | anything,
    body=anything,
)
def test_any_bytes_anywhere_get_a_verdict_of_the_table(
    fields: list[tuple[bytes, bytes]], path: bytes | None, apns_id: bytes | None, body: bytes
) -> None:
    # Once as they are, and once behind fields that lead through all the checks of the head.
    valid = Push().head().fields
    for head in (Head(tuple(fields)), Head((*valid, *((name, value) for name, value in fields if name == b"x")))):
        bench = Bench(link=Link.opened(None, Environment.PRODUCTION))
        push = replace(Push(), path=path)
        request = Request(1, head, (path, apns_id), body)
        for _ in range(2):
            verdict = judge(request, push.device(), bench.link, bench.apns, bench.now_s)
            assert verdict.reason is None or verdict.reason in Reason
            assert (verdict.timestamp_ms is None) == (verdict.reason is None or verdict.reason.status != 410)


@settings(max_examples=300, deadline=None)
@given(spoilt=st.tuples(st.integers(4, 10), anything))
def test_any_bytes_in_one_header_get_a_verdict_of_the_table(spoilt: tuple[int, bytes]) -> None:
    at, value = spoilt
    fields = list(Push().head().fields)
    fields[at] = (fields[at][0], value)
    bench = Bench()
    verdict = bench.judge(Push(), Head(tuple(fields)))
    assert verdict.reason is None or verdict.reason.status in (400, 403)


@pytest.mark.parametrize("field", [b"user-agent", b"content-type", b"traceparent", b"content-length"])
def test_other_headers_are_ignored_however_often(field: bytes) -> None:
    bench = Bench(link=new_link())
    assert bench.reason(replace(Push(), more=((field, b"a"), (field, b"b")))) is None
