"""What a request or an answer is about, as onlookers are told it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sender.fcm.message_template import ID_KEY as SENDERS_ID_KEY
from simulator.credential_hash import credential_hash
from simulator.host_owner import HostOwner
from simulator.request_facts import ID_KEY, AnswerFacts, RequestFacts, answer_facts, request_facts

NOW_S = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT
SEND = b"/v1/projects/p/messages:send"


def asked(path: bytes, body: bytes = b"", owner: HostOwner | None = None, **fields: bytes) -> RequestFacts:
    named = [(name.replace("_", "-").encode(), value) for name, value in fields.items()]
    return request_facts([(b":method", b"POST"), (b":path", path), *named], body, owner)


def answered(status: bytes, body: bytes = b"", **fields: bytes) -> AnswerFacts:
    named = [(name.replace("_", "-").encode(), value) for name, value in fields.items()]
    return answer_facts([(b":status", status), *named], body, lambda: NOW_S)


def test_our_sender_and_the_onlooker_agree_on_where_the_id_of_a_message_stands() -> None:
    assert ID_KEY == SENDERS_ID_KEY


def test_a_push_is_about_its_device_topic_and_id() -> None:
    facts = asked(b"/3/device/AB12", apns_id=b"D917CA4B", apns_topic=b"com.example.app", authorization=b"bearer one")
    assert facts == RequestFacts(
        "apns", "POST", "/3/device/AB12", "AB12", None, "d917ca4b", "com.example.app", credential_hash(b"Bearer one")
    )


@pytest.mark.parametrize(
    ("body", "token", "target", "notification_id"),
    [
        (b'{"message":{"token":"t:1"}}', "t:1", None, None),
        (b'{"message":{"fid":"f"},"validateOnly":true}', "f", None, None),
        (b'{"message":{"topic":"news","data":{"a":"b"}}}', None, "/topics/news", None),
        (b'{"message":{"condition":"\'a\' in topics"}}', None, "'a' in topics", None),
        (b'{"message":{"token":"t","data":{"pushrig_id":"x1"}}}', "t", None, "x1"),
        (b'{"message":{"token":"t","data":{"pushrig_id":1}}}', "t", None, None),
        (b'{"message":{"token":1}}', None, None, None),
        (b"nonsense", None, None, None),
        (b"\xff", None, None, None),
        (b"", None, None, None),
    ],
)
def test_a_message_is_about_its_target_and_the_id_in_its_data(
    body: bytes, token: str | None, target: str | None, notification_id: str | None
) -> None:
    facts = asked(SEND + b"?alt=json", body)
    assert facts == RequestFacts("fcm", "POST", SEND.decode(), token, target, notification_id, None, None)


def test_the_query_that_may_hold_a_credential_is_not_shown() -> None:
    assert "secret" not in repr(asked(b"/token?access_token=secret"))


def test_on_a_host_of_apples_every_path_is_apples() -> None:
    assert asked(SEND, owner=HostOwner.APPLE).provider == "apns"
    assert asked(b"/anything", owner=HostOwner.GOOGLE).provider == "fcm"


def test_credentials_are_told_apart_but_not_told() -> None:
    one, other = (
        credential_hash(b"bearer eyJhbGciOiJFUzI1NiJ9.a.b"),
        credential_hash(b"bearer eyJhbGciOiJFUzI1NiJ9.a.c"),
    )
    assert one != other
    assert one == credential_hash(b"Bearer eyJhbGciOiJFUzI1NiJ9.a.b")
    assert one is not None and "eyJ" not in one
    assert credential_hash(b"") is None


def test_what_is_no_status_is_none() -> None:
    assert answered(b"2xx").status == answer_facts([], b"", lambda: NOW_S).status == 0


def test_answers_of_apns_are_read_by_reason_and_timestamp() -> None:
    facts = answered(b"410", b'{"reason":"Unregistered","timestamp":5}', apns_id=b"D917")
    assert facts == AnswerFacts(410, "Unregistered", "d917", None, None, 5)


@pytest.mark.parametrize(
    ("body", "reason", "message_id"),
    [
        (b'{"name":"projects/p/messages/1"}', None, "projects/p/messages/1"),
        (
            b'{"error":{"status":"NOT_FOUND","details":[{"@type":"x"},{"errorCode":"UNREGISTERED"}]}}',
            "UNREGISTERED",
            None,
        ),
        (b'{"error":{"status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"}]}}', "RESOURCE_EXHAUSTED", None),
        (b'{"error":{"status":"INTERNAL"}}', "INTERNAL", None),
        (b'{"error":"invalid_grant","error_description":"x"}', "invalid_grant", None),
        (b"<html>", None, None),
        (b'{"error":', None, None),
        (b"\xff", None, None),
    ],
)
def test_answers_of_google_are_read_by_their_error_code(
    body: bytes, reason: str | None, message_id: str | None
) -> None:
    assert answered(b"404", body) == AnswerFacts(404, reason, message_id, None, None, None)


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        (b"7", 7.0),
        (b"Fri, 15 Jan 2027 08:00:09 GMT", 9.0),
        (b"Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        (b"Fri, 15 Jan 2027 08:00:09 -0000", 9.0),
        (b"Fri, 15 Jan 2027 09:00:09 +0100", 9.0),
        (b"soon", None),
        (b"", None),
        (b"-1", None),
        (b"\xb2", None),
    ],
)
def test_both_forms_of_retry_after_are_read(field: bytes, seconds: float | None) -> None:
    facts = answered(b"503", retry_after=field)
    assert (facts.retry_after, facts.retry_after_s) == (field.decode("latin-1"), seconds)


@given(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=5), st.binary(max_size=60))
def test_nothing_raises(fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    request_facts(fields, body, None)
    request_facts([(b":path", SEND), *fields], body, None)
    answer_facts(fields, body, lambda: NOW_S)
    answer_facts([(b"retry-after", body)], body, lambda: NOW_S)
