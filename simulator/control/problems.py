"""Everything the control plane refuses with: one row per problem, and the JSON that tells of it.

{"error": {"code": "unknown_round", "message": "what is wrong, where, and what to do"}}
"""

from collections.abc import Mapping
from enum import Enum, unique

import msgspec
from starlette.responses import Response

SECURITY_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@unique
class Problem(Enum):
    """Problems: code in the JSON, HTTP status, when it is met."""

    INVALID_QUERY = "invalid_query", 400, "A query parameter is unknown, repeated, or has a value out of range."
    INVALID_BODY = "invalid_body", 400, "The body is not JSON, or not the record that is asked for."
    INVALID_TOKEN = (
        "invalid_token",
        400,
        "The token in the path is none: neither hexadecimal digits of whole bytes, nor of FCM's form.",
    )
    INVALID_VALUE = "invalid_value", 400, "A value fits the record, but not the rest of what is asked."
    UNAUTHORIZED = "unauthorized", 401, "The bearer token is missing or wrong."
    HOST_REFUSED = "host_refused", 403, "The Host field names none of this simulator's hosts."
    ORIGIN_REFUSED = "origin_refused", 403, "The request comes from a web page of another origin."
    NOT_FOUND = "not_found", 404, "No such path."
    UNKNOWN_ROUND = "unknown_round", 404, "The ledger has no such round, or no longer."
    NO_SCENARIO = "no_scenario", 404, "The simulator plays no scenario."
    UNKNOWN_FAULT = "unknown_fault", 404, "No such fault is at work, or no longer."
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "The path has no such method; see the Allow field."
    BODY_TIMEOUT = "body_timeout", 408, "The body did not come in time."
    BOUND_REACHED = "bound_reached", 409, "Something is full; the message names the bound and the way out."
    BODY_TOO_LARGE = "body_too_large", 413, "The body is larger than any record of this API."
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", 415, "The body is not declared as application/json."
    INTERNAL_ERROR = "internal_error", 500, "A defect of the simulator; its log has the traceback."
    NOT_READY = "not_ready", 503, "The provider port is not open (yet, or any more)."

    def __init__(self, code: str, status: int, meaning: str) -> None:
        self.code = code
        self.status = status
        self.meaning = meaning


class ErrorDetail(msgspec.Struct, frozen=True):
    """`code`: one of a fixed set. `message`: what is wrong, where, and what to do about it."""

    code: str
    message: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every answer that is not a success."""

    error: ErrorDetail


class ControlError(Exception):
    """A request that cannot be served; becomes an answer at the edge. `message` says what to do."""

    def __init__(self, problem: Problem, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.problem, self.message, self.headers = problem, message, headers or {}


def json_response(answer: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer with the security headers. `answer`: anything that msgspec can encode."""
    return Response(
        msgspec.json.encode(answer), status, {**SECURITY_HEADERS, **(headers or {})}, media_type="application/json"
    )


def problem_response(problem: Problem, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that tells of a problem."""
    return json_response(ErrorAnswer(ErrorDetail(problem.code, message)), problem.status, headers)
