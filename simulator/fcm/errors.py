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
    BAD_GATEWAY = (
        "bad-gateway", 502, "UNAVAILABLE", None,
        "", None, "B7 Front-end failure; answered with a page of HTML",
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
    SUBSCRIPTION_QUOTA = (
        "subscription-quota", 429, "RESOURCE_EXHAUSTED", None,
        "Resource has been exhausted (e.g. check quota).", None, "B5; the text is Google's general one, unconfirmed",
    )  # fmt: skip
    TOO_MANY_TOPICS = (
        "too-many-topics", 400, "FAILED_PRECONDITION", None,
        "The registration is subscribed to as many topics as it may be.", None, "D6; status and text are our choice",
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
    """One row of `google.rpc.BadRequest`. `field`: a path such as `message.data[0].value`; empty: the whole request."""

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
    `google.rpc.QuotaFailure`. `help`: description and URL of a `google.rpc.Help`. `retry_after_s`: whole seconds for a
    `Retry-After` field, None for no field.
    """

    cause: Cause
    message: str
    violations: tuple[Violation, ...] = ()
    info: ErrorInfo | None = None
    apns: tuple[int, str] | None = None
    quota: tuple[str, str] | None = None
    help: tuple[str, str] | None = None
    retry_after_s: int | None = None


_SERVICE: Final = "fcm.googleapis.com"
_SEND_CALL: Final = (("method", "google.firebase.fcm.v1.FcmService.SendMessage"), ("service", _SERVICE))

_INFO_OF: Final = {
    Cause.CREDENTIAL_MISSING: ErrorInfo("CREDENTIALS_MISSING", metadata=_SEND_CALL),
    # Some captures of a bad token have this detail, some none [unconfirmed].
    Cause.CREDENTIAL_INVALID: ErrorInfo("ACCESS_TOKEN_TYPE_UNSUPPORTED", metadata=_SEND_CALL),
    Cause.CREDENTIAL_EXPIRED: ErrorInfo("ACCESS_TOKEN_EXPIRED", metadata=_SEND_CALL),
    Cause.SCOPE_INSUFFICIENT: ErrorInfo("ACCESS_TOKEN_SCOPE_INSUFFICIENT", metadata=_SEND_CALL),  # [unconfirmed]
}
"""What a fixed row carries of `google.rpc.ErrorInfo` (B7, D4 4); the metadata of all but the first are [unconfirmed]."""

QUOTA_HELP: Final = ("Request a higher quota limit.", "https://cloud.google.com/docs/quotas/help/request_increase")
"""The capture has a Help; its words are [unconfirmed]."""

SEND_PERMISSION: Final = "cloudmessaging.messages.create"


def fault(cause: Cause) -> Fault:
    """The fault of a row whose message is fixed, with its violation or ErrorInfo if it has one."""
    assert cause.message is not None, f"{cause.name} needs facts"
    violations = () if cause.field is None else (Violation(cause.field, cause.message),)
    return Fault(cause, cause.message, violations, _INFO_OF.get(cause))


def json_fault(violations: tuple[Violation, ...]) -> Fault:
    """All faults of the JSON text together, in document order: texts joined with a newline, one violation each."""
    return Fault(Cause.JSON_INVALID, "\n".join(each.description for each in violations), violations)


def syntax_fault(text: str) -> Fault:
    """A body that is no JSON object: no details, as for everything that fails before the call is known [unconfirmed]."""
    return Fault(Cause.JSON_INVALID, f"Invalid JSON payload received. {text}")


def field_fault(field: str, text: str) -> Fault:
    """A value that is well typed and out of its range."""
    return Fault(Cause.FIELD_INVALID, text, (Violation(field, text),))


def data_key_fault(key: str, field: str) -> Fault:
    """A reserved key in the data map `field`, for example `message.data` [unconfirmed]."""
    text = f"Invalid data payload key: {key}"
    return Fault(Cause.DATA_KEY_RESERVED, text, (Violation(field, text),))


# What the registration, the topic and the project stand for


def unregistered_fault(*, ios: bool) -> Fault:
    """The registration is gone. `ios`: it sits on an APNs token, and the answer says what APNs said."""
    return Fault(Cause.UNREGISTERED, "NotRegistered", apns=(410, "Unregistered") if ios else None)


def third_party_fault(reason: str) -> Fault:
    """The project's APNs credential is refused. `reason`: that of APNs, whose status is 403."""
    return _apns_fault(Cause.THIRD_PARTY_AUTH, 403, reason)


def fault_of_apns(status: int, reason: str, registration: str) -> Fault:
    """What FCM makes of a refusal by APNs (D4 16). The mapping of all but 403 and 410 is [unconfirmed].

    `registration`: the target, for a QuotaFailure. The ApnsError is told where a sender could do something about it: not of
    a size, a rate or a failure, which have answers of FCM's own [choice].
    """
    if status == 403:
        return third_party_fault(reason)
    if status == 410:
        return _apns_fault(Cause.UNREGISTERED, status, reason)
    if status == 413:
        return fault(Cause.MESSAGE_TOO_LARGE)
    if status == 429:
        return device_quota_fault(registration)
    if status >= 500:
        return fault(Cause.UNAVAILABLE)
    return _apns_fault(Cause.APNS_REJECTED, status, reason)


def _apns_fault(cause: Cause, status: int, reason: str) -> Fault:
    assert cause.message is not None
    return Fault(cause, cause.message, apns=(status, reason))


def device_quota_fault(registration: str) -> Fault:
    """Too many messages to one registration. The form of a QuotaFailure's subject is our choice, here and below."""
    return _quota_fault(Cause.DEVICE_QUOTA, f"device:{registration}")


def topic_quota_fault(topic: str) -> Fault:
    """Too many messages to one topic or condition."""
    return _quota_fault(Cause.TOPIC_QUOTA, f"topic:{topic}")


def message_quota_fault(project_number: str) -> Fault:
    """Too many messages of one project on their way to topics."""
    return _quota_fault(Cause.MESSAGE_QUOTA, f"project:{project_number}")


def _quota_fault(cause: Cause, subject: str) -> Fault:
    assert cause.message is not None
    return Fault(cause, cause.message, quota=(subject, cause.message))


def project_quota_fault(project_number: str, limit_per_minute: int, retry_after_s: int | None) -> Fault:
    """The project has spent its send requests of the minute."""
    info = ErrorInfo(
        "RATE_LIMIT_EXCEEDED",
        metadata=(
            ("quota_limit", "SendsPerMinutePerProject"),
            ("quota_limit_value", str(limit_per_minute)),
            ("quota_metric", "fcm.googleapis.com/send_requests"),
            ("quota_unit", "1/min/{project}"),
            ("quota_location", "global"),
            ("consumer", f"projects/{project_number}"),
            ("service", _SERVICE),
        ),
    )
    text = (
        "Quota exceeded for quota metric 'Send requests' and limit 'Send requests per minute' of service "
        f"'{_SERVICE}' for consumer 'project_number:{project_number}'."
    )
    return Fault(Cause.PROJECT_QUOTA, text, info=info, help=QUOTA_HELP, retry_after_s=retry_after_s)


def permission_fault(project: str, permission: str = SEND_PERMISSION) -> Fault:
    """The caller may not, or the project does not exist. `project`: as the request's path names it.

    The ErrorInfo is [unconfirmed].
    """
    resource = f"//cloudresourcemanager.googleapis.com/projects/{project}"
    return Fault(
        Cause.PERMISSION_DENIED,
        f"Permission '{permission}' denied on resource '{resource}' (or it may not exist).",
        info=ErrorInfo(
            "IAM_PERMISSION_DENIED", "iam.googleapis.com", (("permission", permission), ("resource", resource))
        ),
    )


def service_disabled_fault(project_number: str) -> Fault:
    """The project has not enabled the API."""
    text = (
        f"Firebase Cloud Messaging API has not been used in project {project_number} before or it is disabled. Enable it "
        "by visiting https://console.developers.google.com/apis/api/fcm.googleapis.com/overview?project="
        f"{project_number} then retry. If you enabled this API recently, wait a few minutes for the action to propagate "
        "to our systems and retry."
    )
    return Fault(Cause.SERVICE_DISABLED, text, info=ErrorInfo("SERVICE_DISABLED"))
