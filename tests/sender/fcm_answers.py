"""FCM's error answers as JSON, for tests: a known one whose parts can be spoiled one by one."""

import json

TYPE = "type.googleapis.com/"
TOKEN_MALFORMED = "The registration token is not a valid FCM registration token"


def fcm_error(code: str) -> dict[str, object]:
    return {"@type": TYPE + "google.firebase.fcm.v1.FcmError", "errorCode": code}


def apns_error(status: int, reason: str) -> dict[str, object]:
    return {"@type": TYPE + "google.firebase.fcm.v1.ApnsError", "statusCode": status, "reason": reason}


def bad_request(*violations: tuple[str, str]) -> dict[str, object]:
    found = [{"field": field, "description": description} for field, description in violations]
    return {"@type": TYPE + "google.rpc.BadRequest", **({"fieldViolations": found} if found else {})}


def error_info(reason: str) -> dict[str, object]:
    return {"@type": TYPE + "google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def envelope(status: int, rpc_status: str, message: str, *details: dict[str, object]) -> bytes:
    error = {"code": status, "message": message, "status": rpc_status, **({"details": details} if details else {})}
    return json.dumps({"error": error}, indent=2).encode() + b"\n"


UNREGISTERED = envelope(404, "NOT_FOUND", "NotRegistered", fcm_error("UNREGISTERED"))
MALFORMED = envelope(
    400,
    "INVALID_ARGUMENT",
    TOKEN_MALFORMED,
    fcm_error("INVALID_ARGUMENT"),
    bad_request(("message.token", TOKEN_MALFORMED)),
)
EXPIRED = envelope(
    401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", error_info("ACCESS_TOKEN_EXPIRED")
)
PROJECT_QUOTA = envelope(
    429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric", error_info("RATE_LIMIT_EXCEEDED")
)
