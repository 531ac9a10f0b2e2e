"""How FCM's answers are read, and what heads its requests have in common: pure."""

import re
from typing import NamedTuple

import msgspec

from sender.errors import SenderConfigurationError
from sender.fcm.errors import (
    RETRY_AFTER_MISSING_PAUSE_S,
    TOO_LARGE_REASON,
    FcmError,
    Violation,
    action_for,
)
from sender.reaction import Action, Answer
from wire.request import Response

DETAIL_CHARS_MAX = 500  # of an error's text, shown to a person
_PROJECT = re.compile(r"[a-z0-9](?:[a-z0-9.:-]{0,98}[a-z0-9])?")


class FcmOptions(NamedTuple):
    """What all requests of a campaign share. `project`: id or number of the project, whose path they go to."""

    project: str
    authority: str

    @property
    def path(self) -> bytes:
        """Of every request."""
        return f"/v1/projects/{self.project}/messages:send".encode()


def checked_project(project: str) -> str:
    """The project as it may stand in a path. Raises SenderConfigurationError."""
    if _PROJECT.fullmatch(project) is None:
        raise SenderConfigurationError(
            f"the project {project!r} is neither an id nor a number: small letters, digits and hyphens, as in the "
            "service account's project_id"
        )
    return project


def header_fields(options: FcmOptions, authorization: bytes) -> list[tuple[bytes, bytes]]:
    """Fields of every request, in sending order; `:path` is left open."""
    return [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", options.authority.encode()),
        (b":path", b""),
        (b"content-type", b"application/json; charset=UTF-8"),
        (b"authorization", authorization),
    ]


class _Violation(msgspec.Struct):
    field: str = ""
    description: str = ""


class _Detail(msgspec.Struct, rename="camel"):
    """Any detail: the fields of those that matter, told apart by `type`."""

    type: str = msgspec.field(name="@type", default="")
    error_code: str = ""
    status_code: int = 0
    reason: str = ""
    field_violations: list[_Violation] = []


class _Error(msgspec.Struct):
    message: str = ""
    status: str = ""
    details: list[_Detail] = []


class _Body(msgspec.Struct):
    error: _Error = msgspec.field(default_factory=_Error)


_decode_body = msgspec.json.Decoder(_Body).decode


def read_error(status: int, body: bytes) -> FcmError:
    """The body of an answer other than 200. One that is not Google's JSON leaves all but the status empty."""
    try:
        error = _decode_body(body).error if body else _Error()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = _Error()
    error_code, apns = "", None
    violations: list[Violation] = []
    for detail in error.details:
        match detail.type.rpartition("/")[2]:
            case "google.firebase.fcm.v1.FcmError":
                error_code = error_code or detail.error_code
            case "google.firebase.fcm.v1.ApnsError":
                apns = (detail.status_code, detail.reason)
            case "google.rpc.BadRequest":
                violations += (Violation(each.field, each.description) for each in detail.field_violations)
    return FcmError(status, error.status, error.message, error_code, violations, apns)


def read_answer(response: Response, *, personalised: bool) -> Answer:
    """A response other than 200 as an answer. `personalised`: messages differ, so that some can be too large and others not."""
    head = response.head
    error = read_error(int(head.value(b":status") or b"0"), response.body)
    retry_after = head.value(b"retry-after")
    action, reason = action_for(error), error.reason
    if error.too_large:
        action, reason = (Action.REJECT if personalised else Action.STOP), TOO_LARGE_REASON
    return Answer(
        error.status,
        reason,
        action,
        detail=_in_words(error),
        retry_after=retry_after.decode("latin-1") if retry_after is not None else None,
        pause_min_s=RETRY_AFTER_MISSING_PAUSE_S if error.status == 429 else 0.0,
        holds_all=error.holds_all,
    )


def _in_words(error: FcmError) -> str:
    """What FCM says is wrong, with the fields it names; control characters are shown, not obeyed."""
    said = [
        f"{field}: {description}" if field else description for field, description in error.violations if description
    ]
    # Violations mostly repeat the message, each a line of it.
    described = {description for _, description in error.violations}
    if error.message and not described.issuperset(error.message.split("\n")):
        said.insert(0, error.message)
    text = "; ".join(said)
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:DETAIL_CHARS_MAX])
    return shown + ("…" if len(text) > DETAIL_CHARS_MAX else "")
