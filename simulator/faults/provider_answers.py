"""The answers of the providers themselves, by the name of their reason, for faults that give them without cause. Pure."""

from collections.abc import Callable, Mapping
from typing import Final

from simulator.apns.answer import body_of
from simulator.apns.reasons import Reason
from simulator.apns.verdict import Verdict
from simulator.devices.fates import Provider
from simulator.faults.asked import Asked
from simulator.fcm import errors as fcm
from simulator.fcm.error_body import answer_of
from simulator.fcm.errors import Cause, Fault
from simulator.http_answer import HttpAnswer
from simulator.rates.rates import REAL

_SENDS_A_MINUTE: Final = 0 if REAL.fcm_project is None else REAL.fcm_project.count

_NEEDS_FACTS: Final[Mapping[Cause, Callable[[Asked], Fault]]] = {
    Cause.UNREGISTERED: lambda asked: fcm.unregistered_fault(ios=False),
    Cause.THIRD_PARTY_AUTH: lambda asked: fcm.third_party_fault(Reason.INVALID_PROVIDER_TOKEN.wire_name),
    Cause.TOPIC_QUOTA: lambda asked: fcm.topic_quota_fault(_text(asked.key)),
    Cause.DEVICE_QUOTA: lambda asked: fcm.device_quota_fault(_text(asked.key)),
    Cause.MESSAGE_QUOTA: lambda asked: fcm.message_quota_fault(asked.project_number),
    Cause.PROJECT_QUOTA: lambda asked: fcm.project_quota_fault(asked.project_number, _SENDS_A_MINUTE, None),
    Cause.PERMISSION_DENIED: lambda asked: fcm.permission_fault(_project_of(asked.path)),
    Cause.SERVICE_DISABLED: lambda asked: fcm.service_disabled_fault(asked.project_number),
}
"""Those whose text names what was asked for."""

_ON_NOTIFICATIONS: Final = (
    *(cause for cause in Cause if cause.message is not None and cause is not Cause.BAD_GATEWAY),
    Cause.PROJECT_QUOTA,
    Cause.PERMISSION_DENIED,
    Cause.SERVICE_DISABLED,
)

FCM_CAUSES: Final = {cause.wire_name: cause for cause in _ON_NOTIFICATIONS}
"""What FCM can be made to answer, by our names of its causes."""

FCM_ERROR_CODES: Final = {
    "UNREGISTERED": Cause.UNREGISTERED,
    "SENDER_ID_MISMATCH": Cause.SENDER_ID_MISMATCH,
    "THIRD_PARTY_AUTH_ERROR": Cause.THIRD_PARTY_AUTH,
    "QUOTA_EXCEEDED": Cause.DEVICE_QUOTA,
    "UNAVAILABLE": Cause.UNAVAILABLE,
    "INTERNAL": Cause.INTERNAL,
}
"""The same by FCM's own `errorCode`, where that names one cause."""

APNS_REASONS: Final = {reason.wire_name: reason for reason in Reason}


def provider_of(name: str) -> Provider | None:
    """Whose reason this is; None: nobody's."""
    if name in APNS_REASONS:
        return Provider.APNS
    return Provider.FCM if name in FCM_CAUSES or name in FCM_ERROR_CODES else None


def answer_named(name: str, asked: Asked) -> tuple[HttpAnswer, str]:
    """The answer with the reason of this name, of the provider that was asked, and what the ledger calls that.

    A 410 of APNs says that the device went at this moment.
    """
    if asked.provider is Provider.APNS:
        reason = APNS_REASONS[name]
        verdict = Verdict(reason, int(asked.now_s * 1000) if reason.status == 410 else None)
        return HttpAnswer(reason.status, ((b"apns-id", asked.apns_id),), body_of(verdict)), reason.wire_name
    cause = FCM_CAUSES.get(name) or FCM_ERROR_CODES[name]
    made = _NEEDS_FACTS.get(cause)
    fault = fcm.fault(cause) if made is None else made(asked)
    return answer_of(fault), cause.reason


def _project_of(path: bytes) -> str:
    """As in /v1/projects/PROJECT/messages:send; empty for other paths."""
    return _text((*path.split(b"/"), b"", b"", b"", b"")[3])


def _text(value: bytes) -> str:
    return value.decode("latin-1")
