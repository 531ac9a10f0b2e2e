"""A fault of FCM as it goes over the wire: the JSON envelope of Google's errors (B6), with the details that its cause has.

Pretty-printed with two spaces and a newline at the end, as Google does unless asked for `prettyPrint=false`.
"""

from typing import Final

import msgspec

from simulator.fcm.errors import Cause, Fault
from simulator.http_answer import JSON, HttpAnswer

_TYPE: Final = "type.googleapis.com/"

_VIOLATIONS_FIRST: Final = frozenset(
    {Cause.RECIPIENT_MISSING, Cause.TOPIC_INVALID, Cause.MESSAGE_TOO_LARGE, Cause.WEBPUSH_TTL_INVALID}
)
"""Captures of these have BadRequest before FcmError, the others after it. Order is no contract (B6); that of the last of
these is our choice."""

_NO_VIOLATIONS_NAMED: Final = frozenset({Cause.MESSAGE_TOO_LARGE})
"""Their BadRequest stands without `fieldViolations` (B7)."""

Detail = dict[str, object]


def body_of(fault: Fault, *, pretty: bool = True) -> bytes:
    """The envelope: `code`, `message`, `status`, and `details` if there is any."""
    cause = fault.cause
    error: Detail = {"code": cause.status, "message": fault.message, "status": cause.rpc_status}
    details = _details_of(fault)
    if details:
        error["details"] = details
    return json_of({"error": error}, pretty=pretty)


def json_of(answer: object, *, pretty: bool = True) -> bytes:
    """Any answer as Google writes it."""
    text = msgspec.json.encode(answer)
    return msgspec.json.format(text, indent=2) + b"\n" if pretty else text


def answer_of(fault: Fault, *, pretty: bool = True) -> HttpAnswer:
    """The whole answer; `retry-after` in seconds when the fault says how long."""
    fields = (JSON,) if fault.retry_after_s is None else (JSON, (b"retry-after", b"%d" % fault.retry_after_s))
    return HttpAnswer(fault.cause.status, fields, body_of(fault, pretty=pretty))


def _details_of(fault: Fault) -> list[Detail]:
    """In the order of the captures: FcmError, BadRequest, ApnsError, QuotaFailure, ErrorInfo, Help; see above."""
    details: list[Detail] = []
    if fault.cause.error_code is not None:
        details.append({"@type": _TYPE + "google.firebase.fcm.v1.FcmError", "errorCode": fault.cause.error_code.value})
    if fault.violations or fault.cause in _NO_VIOLATIONS_NAMED:
        bad_request = _bad_request(fault)
        details.insert(0 if fault.cause in _VIOLATIONS_FIRST else len(details), bad_request)
    if fault.apns is not None:
        status, reason = fault.apns
        details.append({"@type": _TYPE + "google.firebase.fcm.v1.ApnsError", "statusCode": status, "reason": reason})
    if fault.quota is not None:
        subject, description = fault.quota
        violations = [{"subject": subject, "description": description}]
        details.append({"@type": _TYPE + "google.rpc.QuotaFailure", "violations": violations})
    if fault.info is not None:
        details.append(_error_info(fault.info.reason, fault.info.domain, dict(fault.info.metadata)))
    if fault.help is not None:
        description, url = fault.help
        details.append({"@type": _TYPE + "google.rpc.Help", "links": [{"description": description, "url": url}]})
    return details


def _bad_request(fault: Fault) -> Detail:
    detail: Detail = {"@type": _TYPE + "google.rpc.BadRequest"}
    if fault.violations:
        # An empty path is left out, as JSON of protobuf leaves out every default.
        detail["fieldViolations"] = [
            {"field": each.field, "description": each.description} if each.field else {"description": each.description}
            for each in fault.violations
        ]
    return detail


def _error_info(reason: str, domain: str, metadata: dict[str, str]) -> Detail:
    detail: Detail = {"@type": _TYPE + "google.rpc.ErrorInfo", "reason": reason, "domain": domain}
    if metadata:
        detail["metadata"] = metadata
    return detail
