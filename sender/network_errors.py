"""Errors of sockets and TLS in words, and which of them no further attempt can mend. Pure: looks at errors, raises none."""

import os

# OpenSSL's names of the alerts with which a server refuses the client's certificate (RFC 8446, section 6.2).
CERTIFICATE_ALERTS = (
    "ALERT_ACCESS_DENIED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_CERTIFICATE_EXPIRED",
    "ALERT_CERTIFICATE_REQUIRED",
    "ALERT_CERTIFICATE_REVOKED",
    "ALERT_CERTIFICATE_UNKNOWN",
    "ALERT_UNKNOWN_CA",
    "ALERT_UNSUPPORTED_CERTIFICATE",
)


def in_words(error: BaseException) -> str:
    """What happened, for a person; "" for a plain timeout, which the caller knows better."""
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0 and _reason(error) is None:
        return os.strerror(error.errno)
    return str(error) or ("" if isinstance(error, TimeoutError) else type(error).__name__)


def certificate_alert(error: BaseException | None) -> str | None:
    """The alert by which the server refused the client's certificate, such as "unknown ca"; None for any other error."""
    reason = _reason(error)
    if reason is None:
        return None
    for alert in CERTIFICATE_ALERTS:
        if reason.endswith(alert):
            return alert.removeprefix("ALERT_").replace("_", " ").lower()
    return None


def _reason(error: BaseException | None) -> str | None:
    """`reason` of an `ssl.SSLError`."""
    reason = getattr(error, "reason", None)
    return reason if isinstance(reason, str) else None
