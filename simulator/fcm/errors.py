"""Why FCM refuses a message: one row a cause, with everything that goes over the wire. Pure data.

A fault is a row and the few facts that vary. How it is written as JSON is `simulator.fcm.error_body`'s matter; what a
sender does about it stands in the sender's own table, and a transcript under `tests/spec/` referees both.
"""

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final


@unique
class FcmErrorCode(Enum):
    """`errorCode` of the FcmError detail. Source: ErrorCode reference (B6)."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    UNREGISTERED = "UNREGISTERED"
    SENDER_ID_MISMATCH = "SENDER_ID_MISMATCH"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"
    THIRD_PARTY_AUTH_ERROR = "THIRD_PARTY_AUTH_ERROR"


GENERIC_INVALID_ARGUMENT: Final = "Request contains an invalid argument."
CREDENTIAL_MISSING_TEXT: Final = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
CREDENTIAL_INVALID_TEXT: Final = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
TOKEN_MALFORMED_TEXT: Final = "The registration token is not a valid FCM registration token"  # noqa: S105 - no password


@unique
class Cause(Enum):
    """Name, HTTP status, `status` of google.rpc, `errorCode` (None: no FcmError), message, violation's field, source.

    `message`: None where it is made from facts (see `fault`). `field`: of the one violation that repeats the message; None
    where there is none, or where the facts say which.
    """

    RECIPIENT_MISSING = (
        "recipient-missing", 400, "INVALID_ARGUMENT", FcmErrorCode.INVALID_ARGUMENT,
        "Recipient of the message is not set.", "message", "B7 No target",
    )  # fmt: skip
    TOKEN_MALFORMED = (
        "token-malformed", 400, "INVALID_ARGUMENT", FcmErrorCode.INVALID_ARGUMENT,
        TOKEN_MALFORMED_TEXT, "message.token", "B7 Malformed token",
    )  # fmt: skip
    TOPIC_INVALID = (
        "topic-invalid", 400, "INVALID_ARGUMENT", FcmErrorCode.INVALID_ARGUMENT,
        "Topic name contains invalid characters.", "message", "B7 Bad topic",
    )  # fmt: skip
    CONDITION_INVALID = (
        "condition-invalid", 400, "INVALID_ARGUMENT", None,
        GENERIC_INVALID_ARGUMENT, None, "B7 Bad condition",
    )  # fmt: skip
    MESSAGE_TOO_LARGE = (
        "message-too-large", 400, "INVALID_ARGUMENT", FcmErrorCode.INVALID_ARGUMENT,
        "Message is too large. The maximum is 4K (4096 bytes).", None, "B7 Too large (2026)",
    )  # fmt: skip
    DATA_KEY_RESERVED = (
        "data-key-reserved", 400, "INVALID_ARGUMENT", FcmErrorCode.INVALID_ARGUMENT,
        None, None, "B7 Reserved data key; the violation's field is unconfirmed",
    )  # fmt: skip
    WEBPUSH_TTL_INVALID = (
        "webpush-ttl-invalid", 400, "INVALID_ARGUMENT", FcmErrorCode.INVALID_ARGUMENT,
        "TTL must be a non-negative integer.", "message.webpush.headers.TTL", "B7 Webpush TTL",
    )  # fmt: skip
    FIELD_INVALID = (
        "field-invalid", 400, "INVALID_ARGUMENT", FcmErrorCode.INVALID_ARGUMENT,
        None, None, "D4 9; texts other than those of B7 are our choice",
    )  # fmt: skip
    JSON_INVALID = (
        "json-invalid", 400, "INVALID_ARGUMENT", None,
        None, None, "B7 Unknown JSON field, Wrong JSON type, Two targets, Several JSON faults",
    )  # fmt: skip
    PACKAGE_MISMATCH = (
        "package-mismatch", 400, "INVALID_ARGUMENT", FcmErrorCode.INVALID_ARGUMENT,
        GENERIC_INVALID_ARGUMENT, "message.android.restricted_package_name", "B2 restricted_package_name; text unconfirmed",
    )  # fmt: skip
    APNS_REJECTED = (
        "apns-rejected", 400, "INVALID_ARGUMENT", FcmErrorCode.INVALID_ARGUMENT,
        GENERIC_INVALID_ARGUMENT, None, "D4 16, unconfirmed",
    )  # fmt: skip
    UNREGISTERED = (
        "unregistered", 404, "NOT_FOUND", FcmErrorCode.UNREGISTERED,
        "NotRegistered", None, "B7 Unregistered (2026)",
    )  # fmt: skip
    SENDER_ID_MISMATCH = (
        "sender-id-mismatch", 403, "PERMISSION_DENIED", FcmErrorCode.SENDER_ID_MISMATCH,
        "SenderId mismatch", None, "B7 Other project's token",
    )  # fmt: skip
    THIRD_PARTY_AUTH = (
        "third-party-auth", 401, "UNAUTHENTICATED", FcmErrorCode.THIRD_PARTY_AUTH_ERROR,
        "Auth error from APNS or Web Push Service", None, "B7 APNs credential bad",
    )  # fmt: skip
    TOPIC_QUOTA = (
        "topic-quota", 429, "RESOURCE_EXHAUSTED", FcmErrorCode.QUOTA_EXCEEDED,
        "Topic quota exceeded.", None, "B7 Topic rate",
    )  # fmt: skip
    DEVICE_QUOTA = (
        "device-quota", 429, "RESOURCE_EXHAUSTED", FcmErrorCode.QUOTA_EXCEEDED,
        "Device message rate exceeded.", None, "B7 Device rate; the text is our choice",
    )  # fmt: skip
    MESSAGE_QUOTA = (
        "message-quota", 429, "RESOURCE_EXHAUSTED", FcmErrorCode.QUOTA_EXCEEDED,
        "Message rate exceeded.", None, "B7 Message rate; the text is our choice",
    )  # fmt: skip
    PROJECT_QUOTA = (
        "project-quota", 429, "RESOURCE_EXHAUSTED", None,
        None, None, "B7 Project quota",
    )  # fmt: skip
    INTERNAL = (
        "internal", 500, "INTERNAL", FcmErrorCode.INTERNAL,
        "Internal error encountered.", None, "B7 Internal",
    )  # fmt: skip
    UNAVAILABLE = (
        "unavailable", 503, "UNAVAILABLE", FcmErrorCode.UNAVAILABLE,
        "The service is currently unavailable.", None, "B7 Unavailable",
    )  # fmt: skip
    CREDENTIAL_MISSING = (
        "credential-missing", 401, "UNAUTHENTICATED", None,
        CREDENTIAL_MISSING_TEXT, None, "B7 No credential",
    )  # fmt: skip
    CREDENTIAL_INVALID = (
        "credential-invalid", 401, "UNAUTHENTICATED", None,
        CREDENTIAL_INVALID_TEXT, None, "B7 Bad access token; its ErrorInfo is unconfirmed",
    )  # fmt: skip
    CREDENTIAL_EXPIRED = (
        "credential-expired", 401, "UNAUTHENTICATED", None,
        CREDENTIAL_INVALID_TEXT, None, "B7 Expired access token",
    )  # fmt: skip
    SCOPE_INSUFFICIENT = (
        "scope-insufficient", 403, "PERMISSION_DENIED", None,
        "Request had insufficient authentication scopes.", None, "D4 4; text unconfirmed",
    )  # fmt: skip
    PERMISSION_DENIED = (
        "permission-denied", 403, "PERMISSION_DENIED", None,
        None, None, "B7 No permission, unknown project",
    )  # fmt: skip
    SERVICE_DISABLED = (
        "service-disabled", 403, "PERMISSION_DENIED", None,
        None, None, "B7 API not enabled",
    )  # fmt: skip
    SUBSCRIPTION_EXISTS = (
        "subscription-exists", 409, "ALREADY_EXISTS", None,
        "Requested entity already exists", None, "B10; the text is Google's general one, unconfirmed",
    )  # fmt: skip
    ENTITY_NOT_FOUND = (
        "entity-not-found", 404, "NOT_FOUND", None,
        "Requested entity was not found.", None, "B10; the text is Google's general one, unconfirmed",
    )  # fmt: skip

    def __init__(
        self,
        wire_name: str,
        status: int,
        rpc_status: str,
        error_code: FcmErrorCode | None,
        message: str | None,
        field: str | None,
        source: str,
    ) -> None:
        self.wire_name = wire_name
        self.status = status
        self.rpc_status = rpc_status
        self.error_code = error_code
        self.message = message
        self.field = field
        self.source = source

    @property
    def reason(self) -> str:
        """What ledger, journal and counters call it: the `errorCode`, else the `status` of google.rpc."""
        return self.rpc_status if self.error_code is None else self.error_code.value


@dataclass(frozen=True, slots=True)
class Violation:
    """One row of `google.rpc.BadRequest`. `field`: a path such as `message.data[0].value`."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """A `google.rpc.ErrorInfo`. `metadata`: names and values in the order of the capture."""

    reason: str
    domain: str = "googleapis.com"
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """One refusal. `message` and `violations` as on the wire; build it with the functions below where there is one.

    `apns`: status and reason of APNs, where a registration sits on an APNs token. `quota`: subject and description of a
    `google.rpc.QuotaFailure`. `retry_after_s`: whole seconds for a `Retry-After` field, None for no field.
    """

    cause: Cause
    message: str
    violations: tuple[Violation, ...] = ()
    info: ErrorInfo | None = None
    apns: tuple[int, str] | None = None
    quota: tuple[str, str] | None = None
    retry_after_s: int | None = None


def fault(cause: Cause) -> Fault:
    """The fault of a row whose message is fixed, with its violation if it has one."""
    assert cause.message is not None, f"{cause.name} needs facts"
    violations = () if cause.field is None else (Violation(cause.field, cause.message),)
    return Fault(cause, cause.message, violations)


def json_fault(violations: tuple[Violation, ...]) -> Fault:
    """All faults of the JSON text together, in document order: texts joined with a newline, one violation each."""
    return Fault(Cause.JSON_INVALID, "\n".join(each.description for each in violations), violations)


def field_fault(field: str, text: str) -> Fault:
    """A value that is well typed and out of its range."""
    return Fault(Cause.FIELD_INVALID, text, (Violation(field, text),))
