"""How a fault is written: the envelopes of captures byte for byte, and one detail of each kind."""

import json

import pytest

from simulator.fcm.error_body import answer_of, body_of
from simulator.fcm.errors import (
    Cause,
    Fault,
    Violation,
    device_quota_fault,
    fault,
    fault_of_apns,
    json_fault,
    permission_fault,
    project_quota_fault,
    service_disabled_fault,
    third_party_fault,
    topic_quota_fault,
    unregistered_fault,
)

MALFORMED_TOKEN = b"""{
  "error": {
    "code": 400,
    "message": "The registration token is not a valid FCM registration token",
    "status": "INVALID_ARGUMENT",
    "details": [
      {
        "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
        "errorCode": "INVALID_ARGUMENT"
      },
      {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [
          {
            "field": "message.token",
            "description": "The registration token is not a valid FCM registration token"
          }
        ]
      }
    ]
  }
}
"""

UNREGISTERED_ON_IOS = (
    b'{"error":{"code":404,"message":"NotRegistered","status":"NOT_FOUND",'
    b'"details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"},'
    b'{"@type":"type.googleapis.com/google.firebase.fcm.v1.ApnsError","statusCode":410,"reason":"Unregistered"}]}}'
)


def details_of(fault: Fault) -> list[dict[str, object]]:
    """The details of the envelope, their types without what all have in common."""
    details = json.loads(body_of(fault))["error"].get("details", [])
    return [{**each, "@type": each["@type"].rpartition(".")[2]} for each in details]


def test_a_malformed_token_is_answered_as_captured() -> None:
    assert body_of(fault(Cause.TOKEN_MALFORMED)) == MALFORMED_TOKEN


def test_a_registration_that_is_gone_on_ios_is_answered_as_captured() -> None:
    assert body_of(unregistered_fault(ios=True), pretty=False) == UNREGISTERED_ON_IOS


def test_elsewhere_there_is_no_word_of_apns() -> None:
    assert details_of(unregistered_fault(ios=False)) == [{"@type": "FcmError", "errorCode": "UNREGISTERED"}]


@pytest.mark.parametrize("cause", [each for each in Cause if each.message is not None])
def test_pretty_and_compact_say_the_same(cause: Cause) -> None:
    pretty, compact = body_of(fault(cause)), body_of(fault(cause), pretty=False)
    assert json.loads(pretty) == json.loads(compact)
    assert pretty == json.dumps(json.loads(pretty), indent=2, ensure_ascii=False).encode() + b"\n"
    assert compact == json.dumps(json.loads(compact), separators=(",", ":"), ensure_ascii=False).encode()


def test_a_missing_recipient_has_its_violation_first() -> None:
    text = "Recipient of the message is not set."
    assert details_of(fault(Cause.RECIPIENT_MISSING)) == [
        {"@type": "BadRequest", "fieldViolations": [{"field": "message", "description": text}]},
        {"@type": "FcmError", "errorCode": "INVALID_ARGUMENT"},
    ]


def test_too_large_has_a_bad_request_without_violations() -> None:
    assert details_of(fault(Cause.MESSAGE_TOO_LARGE)) == [
        {"@type": "BadRequest"},
        {"@type": "FcmError", "errorCode": "INVALID_ARGUMENT"},
    ]


def test_a_bad_condition_has_no_details() -> None:
    error = json.loads(body_of(fault(Cause.CONDITION_INVALID)))["error"]
    assert error == {"code": 400, "message": "Request contains an invalid argument.", "status": "INVALID_ARGUMENT"}


def test_faults_of_the_json_are_joined_and_have_no_fcm_error() -> None:
    violations = (Violation("message", "one"), Violation("", "two"))
    assert json.loads(body_of(json_fault(violations)))["error"] == {
        "code": 400,
        "message": "one\ntwo",
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"field": "message", "description": "one"}, {"description": "two"}],
            }
        ],
    }


def test_a_refused_apns_credential_says_what_apns_said() -> None:
    assert details_of(third_party_fault("BadEnvironmentKeyInToken")) == [
        {"@type": "FcmError", "errorCode": "THIRD_PARTY_AUTH_ERROR"},
        {"@type": "ApnsError", "statusCode": 403, "reason": "BadEnvironmentKeyInToken"},
    ]


@pytest.mark.parametrize(
    ("status", "reason", "cause", "told"),
    [
        (403, "InvalidProviderToken", Cause.THIRD_PARTY_AUTH, True),
        (410, "ExpiredToken", Cause.UNREGISTERED, True),
        (400, "BadDeviceToken", Cause.APNS_REJECTED, True),
        (405, "MethodNotAllowed", Cause.APNS_REJECTED, True),
        (413, "PayloadTooLarge", Cause.MESSAGE_TOO_LARGE, False),
        (429, "TooManyRequests", Cause.DEVICE_QUOTA, False),
        (500, "InternalServerError", Cause.UNAVAILABLE, False),
        (503, "Shutdown", Cause.UNAVAILABLE, False),
    ],
)
def test_a_refusal_by_apns_becomes_one_of_fcm(status: int, reason: str, cause: Cause, told: bool) -> None:
    refused = fault_of_apns(status, reason, "abc")
    assert refused.cause is cause
    assert refused.apns == ((status, reason) if told else None)


@pytest.mark.parametrize(
    ("quota", "subject", "text"),
    [
        (topic_quota_fault("news"), "topic:news", "Topic quota exceeded."),
        (device_quota_fault("abc"), "device:abc", "Device message rate exceeded."),
    ],
)
def test_a_quota_of_messages_says_which(quota: Fault, subject: str, text: str) -> None:
    assert details_of(quota) == [
        {"@type": "FcmError", "errorCode": "QUOTA_EXCEEDED"},
        {"@type": "QuotaFailure", "violations": [{"subject": subject, "description": text}]},
    ]


def test_the_project_quota_names_its_limit_and_has_no_fcm_error() -> None:
    quota = project_quota_fault("1234567890", 600_000, 30)
    assert quota.message == (
        "Quota exceeded for quota metric 'Send requests' and limit 'Send requests per minute' of service "
        "'fcm.googleapis.com' for consumer 'project_number:1234567890'."
    )
    info, help_ = details_of(quota)
    assert info == {
        "@type": "ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED",
        "domain": "googleapis.com",
        "metadata": {
            "quota_limit": "SendsPerMinutePerProject",
            "quota_limit_value": "600000",
            "quota_metric": "fcm.googleapis.com/send_requests",
            "quota_unit": "1/min/{project}",
            "quota_location": "global",
            "consumer": "projects/1234567890",
            "service": "fcm.googleapis.com",
        },
    }
    assert help_["@type"] == "Help"
    assert (b"retry-after", b"30") in answer_of(quota).fields


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (Cause.CREDENTIAL_MISSING, "CREDENTIALS_MISSING"),
        (Cause.CREDENTIAL_INVALID, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        (Cause.CREDENTIAL_EXPIRED, "ACCESS_TOKEN_EXPIRED"),
        (Cause.SCOPE_INSUFFICIENT, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
    ],
)
def test_a_refused_credential_names_the_call(cause: Cause, reason: str) -> None:
    metadata = {"method": "google.firebase.fcm.v1.FcmService.SendMessage", "service": "fcm.googleapis.com"}
    assert details_of(fault(cause)) == [
        {"@type": "ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata}
    ]


def test_permission_and_a_disabled_api_name_the_project() -> None:
    denied, disabled = permission_fault("shop-1"), service_disabled_fault("42")
    assert denied.message == (
        "Permission 'cloudmessaging.messages.create' denied on resource "
        "'//cloudresourcemanager.googleapis.com/projects/shop-1' (or it may not exist)."
    )
    assert [each["reason"] for each in details_of(denied)] == ["IAM_PERMISSION_DENIED"]
    assert "project=42 then retry." in disabled.message
    assert details_of(disabled) == [{"@type": "ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com"}]


def test_an_answer_has_status_and_type_and_retry_after_only_where_it_is_known() -> None:
    answer = answer_of(fault(Cause.UNAVAILABLE))
    assert (answer.status, answer.fields) == (503, ((b"content-type", b"application/json; charset=UTF-8"),))
    assert answer.body == body_of(fault(Cause.UNAVAILABLE))
