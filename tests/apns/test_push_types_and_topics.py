"""Which topics go with which push types, and how large a payload may be."""

from dataclasses import replace

import pytest

from simulator.apns.certificate import ClientCertificate
from simulator.apns.judge import ACCEPTED
from simulator.apns.link import Link
from simulator.apns.push_types import PushType
from simulator.apns.request import TOPIC_BYTES_MAX
from simulator.devices.token_space import Environment
from tests.apns.valid_push import FOREIGN_TOKEN, TOPIC, Bench, Push, device_token


def _push(push_type: PushType | None, topic: bytes, token_topic: bytes | None = None) -> Push:
    token = FOREIGN_TOKEN if token_topic is None else device_token(topic=token_topic)
    name = None if push_type is None else push_type.wire_name
    return replace(Push().to(token), push_type=name, topic=topic, priority=None)


@pytest.mark.parametrize("push_type", PushType)
def test_every_push_type_passes_with_its_topic(push_type: PushType) -> None:
    assert Bench().judge(_push(push_type, TOPIC + push_type.topic_suffix)) is ACCEPTED


@pytest.mark.parametrize("push_type", PushType)
def test_no_push_type_passes_with_the_topic_of_another_kind(push_type: PushType) -> None:
    for other in PushType:
        if other.topic_suffix != push_type.topic_suffix:
            assert Bench().reason(_push(push_type, TOPIC + other.topic_suffix)) == "BadTopic"


@pytest.mark.parametrize("suffix", sorted({push_type.topic_suffix for push_type in PushType}))
def test_any_topic_passes_without_push_type(suffix: bytes) -> None:
    assert Bench().judge(_push(None, TOPIC + suffix)) is ACCEPTED


def test_a_contradiction_is_told_by_the_device_token_where_that_is_of_another_topic() -> None:
    assert Bench().reason(_push(PushType.VOIP, TOPIC, token_topic=TOPIC)) == "BadTopic"
    assert Bench().reason(_push(PushType.VOIP, TOPIC, token_topic=TOPIC + b".voip")) == "DeviceTokenNotForTopic"


def test_a_token_of_a_bundle_id_belongs_to_its_suffixed_topics() -> None:
    assert Bench().judge(_push(PushType.VOIP, TOPIC + b".voip", token_topic=TOPIC)) is ACCEPTED
    assert Bench().judge(_push(PushType.VOIP, TOPIC + b".voip", token_topic=TOPIC + b".voip")) is ACCEPTED
    assert Bench().reason(_push(PushType.ALERT, TOPIC, token_topic=TOPIC + b".voip")) == "DeviceTokenNotForTopic"


@pytest.mark.parametrize(
    "topic", [b"a", b"com.example", b"pass.com.example-1", b"com.apple.mgmt.External.0a-f", b"a" * TOPIC_BYTES_MAX]
)
def test_topics_of_reverse_dns_characters_are_well_formed(topic: bytes) -> None:
    assert Bench().judge(_push(PushType.ALERT, topic)) is ACCEPTED


@pytest.mark.parametrize("topic", [b".", b"a.", b".a", b"a..b", b"a b", b"a_b", b"a/b", "é".encode(), b"a\n"])
def test_other_topics_are_not(topic: bytes) -> None:
    assert Bench().reason(_push(PushType.ALERT, topic)) == "BadTopic"


@pytest.mark.parametrize(
    ("push_type", "topic", "bytes_max"),
    [
        (PushType.ALERT, TOPIC, 4096),
        (None, TOPIC, 4096),
        (PushType.VOIP, TOPIC + b".voip", 5120),
        (None, TOPIC + b".voip", 5120),
        (PushType.PUSHTOTALK, TOPIC + b".voip-ptt", 4096),
    ],
)
def test_the_size_limit_goes_by_push_type_or_topic(push_type: PushType | None, topic: bytes, bytes_max: int) -> None:
    bench = Bench()
    push = _push(push_type, topic)
    for token in (FOREIGN_TOKEN, device_token()):  # the long way and the short one
        whole = replace(push.to(token), body=b'{"a":"%b"}' % (b"x" * (bytes_max - 8)))
        assert len(whole.body) == bytes_max
        assert bench.judge(whole) is ACCEPTED
        assert bench.reason(replace(whole, body=whole.body + b" ")) == "PayloadTooLarge"


@pytest.mark.parametrize("priority", [None, b"5", b"1"])
def test_a_background_push_may_have_any_priority_but_10(priority: bytes | None) -> None:
    assert Bench().judge(replace(Push(), push_type=b"background", priority=priority)) is ACCEPTED


def _certificate_bench(*topics: bytes) -> Bench:
    certificate = ClientCertificate(topics, frozenset({Environment.PRODUCTION}))
    return Bench(link=Link.opened("api.push.apple.com", Environment.PRODUCTION, certificate))


def test_a_certificate_authenticates_from_the_start_and_authorization_is_ignored() -> None:
    bench = _certificate_bench(TOPIC)
    assert bench.link.authenticated
    for authorization in (None, b"bearer x", b"basic x"):
        assert bench.judge(replace(Push(), authorization=authorization)) is ACCEPTED


def test_a_certificate_with_one_topic_has_a_default() -> None:
    push = replace(Push(), topic=None)
    assert _certificate_bench(TOPIC).judge(push) is ACCEPTED
    assert _certificate_bench(TOPIC, TOPIC + b".voip").reason(push) == "MissingTopic"
    assert _certificate_bench().reason(push) == "MissingTopic"


def test_a_certificate_reaches_exactly_its_topics() -> None:
    bench = _certificate_bench(TOPIC)
    assert bench.reason(replace(Push(), topic=b"com.example.other")) == "TopicDisallowed"
    assert bench.reason(_push(PushType.VOIP, TOPIC + b".voip")) == "TopicDisallowed"
    assert _certificate_bench(TOPIC, TOPIC + b".voip").judge(_push(PushType.VOIP, TOPIC + b".voip")) is ACCEPTED


@pytest.mark.parametrize("push_type", [push_type for push_type in PushType if push_type.token_only])
def test_some_push_types_cannot_be_sent_with_a_certificate(push_type: PushType) -> None:
    topic = TOPIC + push_type.topic_suffix
    assert _certificate_bench(topic).reason(_push(push_type, topic)) == "TopicDisallowed"
