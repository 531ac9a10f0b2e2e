"""The simulator's answers say what the provider's pages and captures say: one test a row."""

import json
from collections.abc import Mapping

import pytest

from simulator.fcm.error_body import body_of
from simulator.fcm.errors import (
    Cause,
    Fault,
    FcmErrorCode,
    data_key_fault,
    device_quota_fault,
    fault,
    message_quota_fault,
    permission_fault,
    project_quota_fault,
    service_disabled_fault,
    third_party_fault,
    topic_quota_fault,
    unregistered_fault,
)
from simulator.fcm.message_reading import read_send
from tests.spec.fcm_transcript import FCM_DETAILS, FCM_ENVELOPES, FCM_ERROR_CODES


def read_fault(body: bytes) -> Fault:
    found = read_send(body)
    assert isinstance(found, Fault)
    return found


FAULTS: Mapping[str, Fault] = {
    "No target": fault(Cause.RECIPIENT_MISSING),
    "Malformed token": fault(Cause.TOKEN_MALFORMED),
    "Bad topic": fault(Cause.TOPIC_INVALID),
    "Bad condition": fault(Cause.CONDITION_INVALID),
    "Too large": fault(Cause.MESSAGE_TOO_LARGE),
    "Reserved data key": data_key_fault("from", "message.data"),
    "Webpush TTL": fault(Cause.WEBPUSH_TTL_INVALID),
    "Unknown JSON field": read_fault(b'{"message":{"token":"a","x":1}}'),
    "Wrong JSON type": read_fault(b'{"message":{"token":"a","data":{"k":12}}}'),
    "Two targets": read_fault(b'{"message":{"token":"a","topic":"b"}}'),
    "Several JSON faults": read_fault(b'{"message":{"token":"a","x":1,"data":{"k":12}}}'),
    "Unregistered": unregistered_fault(ios=False),
    "Unregistered on iOS": unregistered_fault(ios=True),
    "Other project's token": fault(Cause.SENDER_ID_MISMATCH),
    "APNs credential bad": third_party_fault("InvalidProviderToken"),
    "Topic rate": topic_quota_fault("news"),
    "Device rate": device_quota_fault("abc"),
    "Message rate": message_quota_fault("42"),
    "Project quota": project_quota_fault("42", 600_000, 30),
    "Internal": fault(Cause.INTERNAL),
    "Unavailable": fault(Cause.UNAVAILABLE),
    "No credential": fault(Cause.CREDENTIAL_MISSING),
    "Bad access token": fault(Cause.CREDENTIAL_INVALID),
    "Expired access token": fault(Cause.CREDENTIAL_EXPIRED),
    "No permission, unknown project": permission_fault("shop-1"),
    "API not enabled": service_disabled_fault("42"),
}


def in_short(detail: dict[str, object]) -> str:
    """A detail as the transcript notes it: its type, and what tells it apart."""
    name = str(detail["@type"]).rpartition(".")[2]
    marks = [detail[field] for field in ("errorCode", "statusCode", "reason") if field in detail]
    fields = [each["field"] for each in violations_of(detail)] if name == "BadRequest" else []
    return " ".join(map(str, [name, *marks, *fields]))


def violations_of(detail: dict[str, object]) -> list[dict[str, str]]:
    violations = detail.get("fieldViolations", [])
    assert isinstance(violations, list)
    return violations


@pytest.mark.parametrize("row", FCM_ENVELOPES, ids=[row[0] for row in FCM_ENVELOPES])
def test_an_envelope_is_that_of_the_transcript(row: tuple[str, int, str, str, tuple[str, ...]]) -> None:
    name, code, status, message, details = row
    error = json.loads(body_of(FAULTS[name]))["error"]
    assert (error["code"], error["status"], error["message"]) == (code, status, message)
    assert tuple(map(in_short, error.get("details", []))) == details
    assert ("details" in error) is bool(details)


def test_every_cause_of_a_capture_has_its_row() -> None:
    """All but the 502 of a front end, which has no envelope."""
    of_captures = {cause for cause in Cause if cause.source.startswith("B7") and cause.status != 502}
    assert of_captures == {each.cause for each in FAULTS.values()}


@pytest.mark.parametrize("row", FCM_ERROR_CODES, ids=[row[0] for row in FCM_ERROR_CODES])
def test_an_error_code_has_its_status(row: tuple[str, int, str]) -> None:
    code, status, rpc_status = row
    causes = [cause for cause in Cause if cause.error_code is FcmErrorCode(code)]
    assert {(cause.status, cause.rpc_status) for cause in causes} == {(status, rpc_status)}
    assert {cause.reason for cause in causes} == {code}


def test_there_are_no_other_error_codes() -> None:
    assert [code.value for code in FcmErrorCode] == [code for code, _, _ in FCM_ERROR_CODES]


@pytest.mark.parametrize("row", FCM_DETAILS, ids=[row[0] for row in FCM_DETAILS])
def test_a_detail_has_its_fields(row: tuple[str, tuple[str, ...]]) -> None:
    type_name, fields = row
    found = [
        detail
        for each in FAULTS.values()
        for detail in json.loads(body_of(each))["error"].get("details", [])
        if detail["@type"] == f"type.googleapis.com/{type_name}"
    ]
    assert {name for detail in found for name in detail} == {"@type", *fields}


def test_failures_of_the_project_carry_no_fcm_error() -> None:
    names = ("Project quota", "No credential", "Bad access token", "Expired access token", "API not enabled")
    assert all(FAULTS[name].cause.error_code is None for name in names)
    assert FAULTS["No permission, unknown project"].cause.error_code is None


def test_every_violation_repeats_its_text() -> None:
    for each in FAULTS.values():
        assert each.violations == () or each.message == "\n".join(row.description for row in each.violations)


def test_every_cause_names_its_source_and_has_its_own_name() -> None:
    assert all(cause.source for cause in Cause)
    assert len({cause.wire_name for cause in Cause}) == len(Cause)
