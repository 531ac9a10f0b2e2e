"""Rates of APNs: what each counts, and that one which is reached leaves the others alone."""

from dataclasses import replace

from simulator.apns.certificate import ClientCertificate
from simulator.apns.judge import ACCEPTED
from simulator.apns.link import Link
from simulator.devices.token_space import Environment
from simulator.rates.bucket import KeyedBuckets
from simulator.rates.rates import BucketRate
from tests.apns.valid_push import JWT, NOW_S, RELATED_KEY_ID, TOPIC, Bench, Push, device_token, jwt

TOO_MANY = "TooManyRequests"


def link(number: int | None, certificate: ClientCertificate | None = None) -> Link:
    return Link.opened("api.push.apple.com", Environment.PRODUCTION, certificate, number)


def buckets(count: int) -> KeyedBuckets:
    return KeyedBuckets(BucketRate(count=count, per_s=60))


def reasons(bench: Bench, *pushes: Push) -> list[str | None]:
    return [bench.reason(push) for push in pushes]


def test_each_connection_has_its_rate_and_gets_it_back_with_time() -> None:
    bench = Bench(link=link(1))
    bench.apns.connection_rate = buckets(2).refuses
    assert reasons(bench, Push(), Push(), Push()) == [None, None, TOO_MANY]
    bench.link = link(2)
    assert bench.reason(Push()) is None
    bench.link = link(1)
    bench.now_s += 30
    assert reasons(bench, Push(), Push()) == [None, TOO_MANY]


def test_a_provider_token_has_its_rate_over_all_connections() -> None:
    bench = Bench(link=link(1))
    bench.apns.provider_token_rate = buckets(2).refuses
    assert bench.reason(Push()) is None
    bench.link = link(2)
    assert reasons(bench, Push(), Push()) == [None, TOO_MANY]
    bench.link = link(3)
    other = Push().with_token(jwt(key_id=RELATED_KEY_ID, issued_at_s=int(NOW_S) - 30))
    assert bench.reason(other) is None


def test_who_has_no_provider_token_and_who_has_no_connection_are_not_counted() -> None:
    bench = Bench(link=link(None, ClientCertificate((TOPIC,), any_push_type=True)))
    bench.apns.provider_token_rate = lambda text, now_s: True
    bench.apns.connection_rate = lambda number, now_s: True
    push = replace(Push(), authorization=None)
    assert bench.judge(push) is ACCEPTED
    bench.link = link(1, ClientCertificate((TOPIC,), any_push_type=True))
    assert bench.reason(push) == TOO_MANY


def test_what_is_refused_for_something_else_counts_against_no_rate() -> None:
    bench, asked = Bench(link=link(5)), list[object]()

    def rule(key: object, now_s: float) -> bool:
        asked.append(key)
        return False

    bench.apns.connection_rate = bench.apns.provider_token_rate = bench.apns.device_rate = rule
    assert bench.reason(replace(Push(), body=b"")) == "PayloadEmpty"
    assert asked == []
    token = device_token(index=8)
    assert bench.judge(Push().to(token)) is ACCEPTED
    assert asked == [5, JWT, token]


def test_a_rate_that_is_reached_leaves_those_behind_it_untouched() -> None:
    bench, asked = Bench(link=link(5)), list[object]()

    def counted(key: object, now_s: float) -> bool:
        asked.append(key)
        return False

    bench.apns.connection_rate = lambda number, now_s: True
    bench.apns.provider_token_rate = bench.apns.device_rate = counted
    assert bench.reason(Push()) == TOO_MANY
    assert asked == []


def test_a_rate_that_comes_while_a_connection_is_open_binds_it() -> None:
    bench, head = Bench(link=link(1)), Push().head()
    assert bench.judge(Push(), head) is ACCEPTED
    bench.apns.connection_rate = buckets(1).refuses
    assert bench.judge(Push(), head) is ACCEPTED
    refused = bench.judge(Push(), head).reason
    assert refused is not None and refused.wire_name == TOO_MANY
    bench.apns.connection_rate = None
    assert bench.judge(Push(), head) is ACCEPTED
