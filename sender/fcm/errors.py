"""What a sender does about each error that FCM answers with: one row each, read from the provider's documentation anew.

The simulator has its own table of what it answers; a transcript in the tests referees both, so that one typo cannot agree
with itself.
"""

from collections.abc import Sequence
from enum import Enum, unique
from typing import NamedTuple

from sender.apns.reasons import ACTIONS as APNS_ACTIONS
from sender.reaction import Action

RETRY_AFTER_MISSING_PAUSE_S = 60.0
"""Of a 429 without Retry-After. Source: Scaling FCM; also the least first pause after a message or topic rate."""


@unique
class ErrorRow(Enum):
    """`errorCode`, HTTP status, `status` of google.rpc, action, and the ground for the action.

    Source: FCM REST reference, ErrorCode; the last row is its old name, which the Admin SDKs still read. Never repeated
    are 400, 401, 403 and 404 (Scaling FCM). Answers to a faulty token are told from those to a faulty message by `action_for`.
    """

    INVALID_ARGUMENT = "INVALID_ARGUMENT", 400, "INVALID_ARGUMENT", Action.STOP, "the message is the campaign's"
    UNREGISTERED = "UNREGISTERED", 404, "NOT_FOUND", Action.INVALIDATE, "the registration is gone"
    SENDER_ID_MISMATCH = (
        "SENDER_ID_MISMATCH", 403, "PERMISSION_DENIED", Action.REJECT,
        "the token is good for another project's credential: that is mended here, and the token kept",
    )  # fmt: skip
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED", 429, "RESOURCE_EXHAUSTED", Action.RETRY, "too many to one device or topic: later"
    UNAVAILABLE = "UNAVAILABLE", 503, "UNAVAILABLE", Action.RETRY, "overloaded: as it says, or with back-off"
    INTERNAL = "INTERNAL", 500, "INTERNAL", Action.RETRY, "with back-off"
    THIRD_PARTY_AUTH_ERROR = (
        "THIRD_PARTY_AUTH_ERROR", 401, "UNAUTHENTICATED", Action.STOP,
        "the project's credential for APNs or web push is the campaign's",
    )  # fmt: skip
    APNS_AUTH_ERROR = "APNS_AUTH_ERROR", 401, "UNAUTHENTICATED", Action.STOP, "the old name of the one before"

    def __init__(self, wire_name: str, status: int, rpc_status: str, action: Action, ground: str) -> None:
        self.wire_name, self.status, self.rpc_status = wire_name, status, rpc_status
        self.action, self.ground = action, ground


@unique
class StatusRow(Enum):
    """What is done about an answer without an `errorCode` that a row above has: HTTP status, action, ground.

    Such answers concern the project or the call: credential, permission, quota of the project, JSON text; or they come from
    a front-end.
    """

    BAD_REQUEST = 400, Action.STOP, "the message is the campaign's"
    UNAUTHENTICATED = 401, Action.RENEW, "the access token is expired, or was withdrawn"
    PERMISSION_DENIED = 403, Action.STOP, "the project and its credential are the campaign's"
    NOT_FOUND = 404, Action.STOP, "paths are made by one rule; a registration that is gone has an `errorCode`"
    REQUEST_TIMEOUT = 408, Action.RETRY, "with back-off"
    TOO_MANY_REQUESTS = 429, Action.RETRY, "the project has spent its quota of the minute: all wait"

    def __init__(self, status: int, action: Action, ground: str) -> None:
        self.status, self.action, self.ground = status, action, ground


TOKEN_FIELDS = frozenset({"message.token", "message.fid"})
"""A violation of one of these is about the device; of any other, about the message."""

TOKEN_MALFORMED_TEXTS = frozenset({"The registration token is not a valid FCM registration token"})
"""Some captures of a malformed token name no field."""

TOO_LARGE_TEXTS = ("Message is too large", "Android message is too big", "iOS message is too big")
"""How captures of a message beyond the size limit begin; the last two are older."""

TOO_LARGE_REASON = "MessageTooLarge"
"""Ours: what is personalised can be too large for some devices and not for others, so it is told from other faults."""

_BY_ERROR_CODE = {row.wire_name: row for row in ErrorRow}
_BY_STATUS = {row.status: row for row in StatusRow}


class Violation(NamedTuple):
    """One `fieldViolation` of google.rpc.BadRequest. `field`: a path such as `message.data[0].value`, or ""."""

    field: str
    description: str


class FcmError(NamedTuple):
    """An error of FCM as far as it matters. `error_code` "": no FcmError among the details.

    `apns`: status and reason of APNs, where the registration sits on an APNs token and APNs was asked.
    """

    status: int
    rpc_status: str = ""
    message: str = ""
    error_code: str = ""
    violations: Sequence[Violation] = ()
    apns: tuple[int, str] | None = None

    @property
    def reason(self) -> str:
        """What reports call it: the `errorCode`, else the `status` of google.rpc."""
        return self.error_code or self.rpc_status

    @property
    def too_large(self) -> bool:
        """The message of this one device is over the size limit."""
        return self.error_code == ErrorRow.INVALID_ARGUMENT.wire_name and self.message.startswith(TOO_LARGE_TEXTS)

    @property
    def holds_all(self) -> bool:
        """The quota of the whole project is spent: whatever else is sent now would get the same."""
        return self.status == StatusRow.TOO_MANY_REQUESTS.status and self.error_code not in _BY_ERROR_CODE


def action_for(error: FcmError) -> Action:
    """The action for an answer other than 200. What no row knows is judged by its HTTP status.

    Only a registration that is gone and a faulty token invalidate: a fault of the message would otherwise burn every token
    of the campaign.
    """
    row = _BY_ERROR_CODE.get(error.error_code)
    if row is ErrorRow.INVALID_ARGUMENT:
        return _action_for_argument(error)
    if row is not None:
        return row.action
    known = _BY_STATUS.get(error.status)
    if known is not None:
        return known.action
    return Action.RETRY if error.status >= 500 else Action.STOP


def _action_for_argument(error: FcmError) -> Action:
    if error.apns is not None:
        return _action_for_apns(*error.apns)
    if error.violations:
        about_token = all(violation.field in TOKEN_FIELDS for violation in error.violations)
    else:
        about_token = error.message in TOKEN_MALFORMED_TEXTS
    return Action.INVALIDATE if about_token else Action.STOP


def _action_for_apns(status: int, reason: str) -> Action:
    """FCM hands on what APNs said. A 410 is a registration that is gone, in whatever words FCM wraps it."""
    if status == 410:
        return Action.INVALIDATE
    # APNs' other words on a token speak of FCM's dealings with APNs, which no source explains: the registration is kept.
    return Action.STOP if APNS_ACTIONS.get(reason) is Action.STOP else Action.REJECT
