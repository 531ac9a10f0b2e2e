"""The simulator's tables say what the provider's pages say."""

from simulator.apns.answer import BODIES
from simulator.apns.push_types import TOPIC_SUFFIXES, PushType
from simulator.apns.reasons import Reason
from tests.spec.apns_transcript import APNS_PUSH_TYPES, APNS_REASONS


def test_the_reasons_are_those_of_the_transcript() -> None:
    assert {(reason.status, reason.wire_name) for reason in Reason} == set(APNS_REASONS)
    assert len(Reason) == len(APNS_REASONS)


def test_every_reason_names_its_source() -> None:
    assert all(reason.source for reason in Reason)


def test_the_bodies_are_those_of_the_transcript() -> None:
    assert set(BODIES.values()) == {b'{"reason":"%b"}' % name.encode() for _, name in APNS_REASONS}


def test_the_push_types_are_those_of_the_transcript() -> None:
    rows = [(push_type.wire_name.decode(), push_type.topic_suffix.decode()) for push_type in PushType]
    assert rows == list(APNS_PUSH_TYPES)


def test_no_suffix_ends_with_another_one() -> None:
    assert not [(a, b) for a in TOPIC_SUFFIXES for b in TOPIC_SUFFIXES if a != b and a.endswith(b)]


def test_only_voip_may_be_larger() -> None:
    assert {push_type for push_type in PushType if push_type.payload_bytes_max != 4096} == {PushType.VOIP}
    assert PushType.VOIP.payload_bytes_max == 5120
