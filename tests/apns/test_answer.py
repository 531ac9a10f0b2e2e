"""What an answer looks like on the wire."""

import re

from simulator.apns.answer import IDS_PER_BLOCK, RandomIds, body_of, id_of_answer
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


def test_an_accepted_push_has_no_body() -> None:
    assert body_of(ACCEPTED) == b""


def test_only_a_410_has_a_timestamp() -> None:
    verdict = Verdict(Reason.UNREGISTERED, 1_735_689_601_000)
    assert body_of(verdict) == b'{"reason":"Unregistered","timestamp":1735689601000}'


def test_every_rejection_is_compact_json() -> None:
    for reason in Reason:
        assert body_of(REJECTED[reason]) == f'{{"reason":"{reason.wire_name}"}}'.encode()


def test_identifiers_are_upper_case_uuids_made_by_the_block() -> None:
    source = CountedBytes()
    ids = RandomIds(source)
    drawn = [ids.draw() for _ in range(2 * IDS_PER_BLOCK)]
    assert source.calls == 2
    assert len(set(drawn)) == len(drawn)
    assert all(UPPER_UUID.fullmatch(each) for each in drawn)


def test_all_digits_of_an_identifier_are_random() -> None:
    assert RandomIds(lambda count: b"\xab" * count).draw() == b"ABABABAB-ABAB-ABAB-ABAB-ABABABABABAB"


def test_the_apns_id_of_the_request_is_echoed_as_it_came() -> None:
    ids = RandomIds(CountedBytes())
    for own in (APNS_ID, APNS_ID.upper(), b"7"):
        assert id_of_answer(own, ids) == own


def test_an_absent_apns_id_is_made_up() -> None:
    ids = RandomIds(CountedBytes())
    for absent in (None, b""):
        assert UPPER_UUID.fullmatch(id_of_answer(absent, ids))
