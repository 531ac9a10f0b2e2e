"""What an answer looks like on the wire."""

import re

from simulator.apns.answer import IDS_PER_BLOCK, RandomIds, answer_to, body_of, id_of_answer
from simulator.apns.judge import ACCEPTED, REJECTED, Verdict
from simulator.apns.reasons import Reason
from tests.apns.valid_push import APNS_ID

UPPER_UUID = re.compile(rb"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


class CountedBytes:
    """A source of bytes that are all different, which counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, count: int) -> bytes:
        self.calls += 1
        return b"".join((self.calls * 1_000_000 + at).to_bytes(16, "big") for at in range(count // 16))


def test_an_accepted_push_is_answered_with_status_and_apns_id_alone() -> None:
    answer = answer_to(ACCEPTED, APNS_ID, None)
    assert answer.fields == ((b":status", b"200"), (b"apns-id", APNS_ID))
    assert answer.body == b""


def test_in_the_sandbox_it_has_an_apns_unique_id_too() -> None:
    answer = answer_to(ACCEPTED, APNS_ID, b"unique")
    assert answer.fields == ((b":status", b"200"), (b"apns-id", APNS_ID), (b"apns-unique-id", b"unique"))
    assert all(name != b"apns-unique-id" for name, _ in answer_to(REJECTED[Reason.BAD_TOPIC], APNS_ID, b"u").fields)


def test_a_rejection_is_compact_json_without_content_type() -> None:
    answer = answer_to(REJECTED[Reason.BAD_DEVICE_TOKEN], APNS_ID, None)
    assert answer.fields == ((b":status", b"400"), (b"apns-id", APNS_ID))
    assert answer.body == b'{"reason":"BadDeviceToken"}'


def test_only_a_410_has_a_timestamp() -> None:
    answer = answer_to(Verdict(Reason.UNREGISTERED, 1_735_689_601_000), APNS_ID, None)
    assert answer.fields[0] == (b":status", b"410")
    assert answer.body == b'{"reason":"Unregistered","timestamp":1735689601000}'


def test_every_reason_has_status_and_body() -> None:
    for reason in Reason:
        answer = answer_to(REJECTED[reason], APNS_ID, None)
        assert answer.fields[0] == (b":status", str(reason.status).encode())
        assert answer.body == body_of(REJECTED[reason]) == f'{{"reason":"{reason.wire_name}"}}'.encode()


def test_identifiers_are_upper_case_uuids_made_by_the_block() -> None:
    source = CountedBytes()
    ids = RandomIds(source)
    drawn = [ids.draw() for _ in range(2 * IDS_PER_BLOCK)]
    assert source.calls == 2
    assert len(set(drawn)) == len(drawn)
    assert all(UPPER_UUID.fullmatch(each) for each in drawn)


def test_all_digits_of_an_identifier_are_random() -> None:
    assert RandomIds(lambda count: b"\xab" * count).draw() == b"ABABABAB-ABAB-ABAB-ABAB-ABABABABABAB"


def test_the_apns_id_of_the_request_is_echoed_in_its_own_case() -> None:
    ids = RandomIds(CountedBytes())
    for verdict in (ACCEPTED, REJECTED[Reason.MISSING_TOPIC]):
        for own in (APNS_ID, APNS_ID.upper()):
            assert id_of_answer(verdict, own, ids) == own


def test_an_absent_or_malformed_apns_id_is_replaced() -> None:
    ids = RandomIds(CountedBytes())
    for verdict, own in (
        (ACCEPTED, None),
        (REJECTED[Reason.BAD_MESSAGE_ID], b"7"),
        (REJECTED[Reason.MISSING_PROVIDER_TOKEN], b"x" * 36),
    ):
        assert UPPER_UUID.fullmatch(id_of_answer(verdict, own, ids))
