"""What the sender does about FCM's answers: rows against the transcript, and which of them burn a token or end a campaign."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sender.fcm.errors import TOO_LARGE_REASON, ErrorRow, FcmError, StatusRow, Violation, action_for
from sender.fcm.messages import DETAIL_CHARS_MAX, read_answer, read_error
from sender.reaction import Action, Answer, RetryPolicy, react
from tests.sender import fcm_answers
from tests.sender.fcm_answers import apns_error, bad_request, envelope, error_info, fcm_error
from tests.spec.fcm_transcript import FCM_ENVELOPES, FCM_ERROR_CODES
from wire.request import Head, Response

NOW_S = 1_760_000_000.0


def answer(status: int, body: bytes, *fields: tuple[bytes, bytes], personalised: bool = False) -> Answer:
    head = Head(((b":status", b"%d" % status), *fields))
    return read_answer(Response(1, head, (None, None), body), personalised=personalised)


def details_of(names: tuple[str, ...], message: str) -> list[dict[str, object]]:
    """The details of an envelope of the transcript."""
    made: list[dict[str, object]] = []
    for name in names:
        kind, _, rest = name.partition(" ")
        if kind == "FcmError":
            made.append(fcm_error(rest))
        elif kind == "ApnsError":
            status, _, reason = rest.partition(" ")
            made.append(apns_error(int(status), reason))
        elif kind == "BadRequest":
            made.append(bad_request(*((field, message) for field in rest.split())))
        elif kind == "ErrorInfo":
            made.append(error_info(rest))
        else:
            made.append({"@type": f"type.googleapis.com/google.rpc.{kind}", "links": [{"url": "x"}]})
    return made


ACTIONS = {
    "No target": Action.STOP,
    "Malformed token": Action.INVALIDATE,
    "Bad topic": Action.STOP,
    "Bad condition": Action.STOP,
    "Too large": Action.STOP,
    "Reserved data key": Action.STOP,
    "Webpush TTL": Action.STOP,
    "Unknown JSON field": Action.STOP,
    "Wrong JSON type": Action.STOP,
    "Two targets": Action.STOP,
    "Several JSON faults": Action.STOP,
    "Unregistered": Action.INVALIDATE,
    "Unregistered on iOS": Action.INVALIDATE,
    "Other project's token": Action.REJECT,
    "APNs credential bad": Action.STOP,
    "Topic rate": Action.RETRY,
    "Device rate": Action.RETRY,
    "Message rate": Action.RETRY,
    "Project quota": Action.RETRY,
    "Internal": Action.RETRY,
    "Unavailable": Action.RETRY,
    "No credential": Action.RENEW,
    "Bad access token": Action.RENEW,
    "Expired access token": Action.RENEW,
    "No permission, unknown project": Action.STOP,
    "API not enabled": Action.STOP,
}


def test_the_table_has_each_error_code_of_the_transcript_with_its_statuses_and_one_old_name() -> None:
    rows = {(row.wire_name, row.status, row.rpc_status) for row in ErrorRow}
    assert rows == {*FCM_ERROR_CODES, ("APNS_AUTH_ERROR", 401, "UNAUTHENTICATED")}


def test_each_captured_answer_has_an_action() -> None:
    assert {cause for cause, *_ in FCM_ENVELOPES} == set(ACTIONS)


@pytest.mark.parametrize(("cause", "status", "rpc_status", "message", "details"), FCM_ENVELOPES)
def test_each_captured_answer_is_read_as_what_it_is(
    cause: str, status: int, rpc_status: str, message: str, details: tuple[str, ...]
) -> None:
    found = answer(status, envelope(status, rpc_status, message, *details_of(details, message)))
    assert (found.status, found.action) == (status, ACTIONS[cause])
    codes = [name.partition(" ")[2] for name in details if name.startswith("FcmError")]
    assert found.reason == (TOO_LARGE_REASON if cause == "Too large" else (codes or [rpc_status])[0])
    assert found.holds_all is (cause == "Project quota")


def test_no_row_repeats_what_google_says_not_to_repeat() -> None:
    never = {400, 401, 403, 404}
    for row in ErrorRow:
        assert (row.action is Action.RETRY) is (row.status not in never)
    for status_row in StatusRow:
        assert (status_row.action is Action.RETRY) is (status_row.status not in never)


violations = st.builds(
    Violation,
    st.sampled_from(
        ["message.token", "message.fid", "message", "message.data", "message.data[0].value", "", "message.tokens"]
    ),
    st.text(max_size=10),
)
errors = st.builds(
    FcmError,
    st.sampled_from([200, 301, 400, 401, 403, 404, 408, 409, 413, 418, 429, 500, 502, 503, 599]),
    st.sampled_from(["INVALID_ARGUMENT", "NOT_FOUND", "UNAUTHENTICATED", ""]),
    st.sampled_from([fcm_answers.TOKEN_MALFORMED, "Request contains an invalid argument.", "NotRegistered", ""]),
    st.sampled_from([*(row.wire_name for row in ErrorRow), "UNSPECIFIED_ERROR", "NEW_ERROR", ""]),
    st.lists(violations, max_size=3),
    st.none() | st.tuples(st.sampled_from([400, 403, 410, 413]), st.sampled_from(["Unregistered", "BadTopic", "New"])),
)


@given(errors)
def test_only_a_registration_that_is_gone_or_a_faulty_token_invalidates(error: FcmError) -> None:
    if action_for(error) is Action.INVALIDATE:
        gone = error.error_code == "UNREGISTERED" or (error.apns is not None and error.apns[0] == 410)
        faulty = {violation.field for violation in error.violations} or {error.message}
        assert gone or (
            error.error_code == "INVALID_ARGUMENT"
            and faulty <= {"message.token", "message.fid", fcm_answers.TOKEN_MALFORMED}
        )


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (FcmError(404), Action.STOP),  # Google's page for a path that is none
        (FcmError(404, "NOT_FOUND", "Requested entity was not found."), Action.STOP),
        (FcmError(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED"), Action.INVALIDATE),
        (FcmError(502), Action.RETRY),
        (FcmError(408), Action.RETRY),
        (FcmError(503, error_code="NEW_ERROR"), Action.RETRY),
        (FcmError(413), Action.STOP),
        (FcmError(301), Action.STOP),
        (FcmError(401, error_code="APNS_AUTH_ERROR"), Action.STOP),
        # Captures of a malformed token without a violation, and with an older text.
        (FcmError(400, "INVALID_ARGUMENT", fcm_answers.TOKEN_MALFORMED, "INVALID_ARGUMENT"), Action.INVALIDATE),
        (
            FcmError(
                400,
                "INVALID_ARGUMENT",
                "Request contains an invalid argument.",
                "INVALID_ARGUMENT",
                [Violation("message.token", "Invalid registration token")],
            ),
            Action.INVALIDATE,
        ),
        (FcmError(400, "INVALID_ARGUMENT", fcm_answers.TOKEN_MALFORMED), Action.STOP),  # no FcmError: about the JSON text
        (
            FcmError(
                400,
                error_code="INVALID_ARGUMENT",
                violations=[Violation("message.token", "x"), Violation("message.data", "y")],
            ),
            Action.STOP,
        ),
        # What APNs said through FCM.
        (FcmError(400, error_code="INVALID_ARGUMENT", apns=(410, "Unregistered")), Action.INVALIDATE),
        (FcmError(400, error_code="INVALID_ARGUMENT", apns=(400, "BadDeviceToken")), Action.REJECT),
        (FcmError(400, error_code="INVALID_ARGUMENT", apns=(400, "BadCollapseId")), Action.STOP),
    ],
)  # fmt: skip
def test_answers_that_the_transcript_has_not(error: FcmError, action: Action) -> None:
    assert action_for(error) is action


@pytest.mark.parametrize(
    "text",
    ["Message is too large. The maximum is 4K (4096 bytes).", "Android message is too big", "iOS message is too big"],
)
def test_a_message_too_large_stops_a_campaign_only_where_all_are_the_same(text: str) -> None:
    body = envelope(400, "INVALID_ARGUMENT", text, bad_request(), fcm_error("INVALID_ARGUMENT"))
    assert answer(400, body).action is Action.STOP
    found = answer(400, body, personalised=True)
    assert (found.action, found.reason) == (Action.REJECT, TOO_LARGE_REASON)


def test_what_stops_a_campaign_is_told_with_its_fields() -> None:
    text = "Invalid value at 'message.data[0].value' (TYPE_STRING), 12"
    body = envelope(400, "INVALID_ARGUMENT", text, bad_request(("message.data[0].value", text)))
    assert answer(400, body).detail == f"message.data[0].value: {text}"
    body = envelope(400, "INVALID_ARGUMENT", "Request contains an invalid argument.", bad_request(("message.x", "why")))
    assert answer(400, body).detail == "Request contains an invalid argument.; message.x: why"


def test_words_of_the_network_are_short_and_plain() -> None:
    found = answer(403, envelope(403, "PERMISSION_DENIED", "\x1b[31m" + "x" * 10_000)).detail
    assert found.isprintable() and len(found) <= DETAIL_CHARS_MAX + 10


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[1]", b"{}", b'{"error":5}', b'{"error":"x"}', b'{"error":{"details":7}}', b"\xff", b"[" * 5_000,
     b'{"error":{"details":[{"@type":5}]}}', b'{"error":{"details":[{}]}}'],
)  # fmt: skip
def test_a_strange_body_is_judged_by_its_status(body: bytes) -> None:
    assert (answer(502, body).action, answer(400, body).action) == (Action.RETRY, Action.STOP)
    assert read_error(502, body).reason == ""


@given(st.binary(max_size=60), st.integers(100, 599))
def test_any_answer_can_be_read(body: bytes, status: int) -> None:
    assert answer(status, body).action is not Action.ACCEPT


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 4))
def test_a_429_without_retry_after_waits_a_minute_at_least_and_with_it_as_told(draw: float, attempts: int) -> None:
    policy = RetryPolicy()
    told = react(answer(429, fcm_answers.PROJECT_QUOTA, (b"retry-after", b"7")), attempts, NOW_S, policy, draw)
    assert NOW_S + 7 <= told.retry_at_s <= NOW_S + 8
    untold = react(answer(429, fcm_answers.PROJECT_QUOTA), attempts, NOW_S, policy, draw)
    assert NOW_S + 60 <= untold.retry_at_s <= NOW_S + 60 + policy.pause_max_s


def test_a_503_waits_as_long_as_it_says() -> None:
    body = envelope(503, "UNAVAILABLE", "The service is currently unavailable.", fcm_error("UNAVAILABLE"))
    found = react(answer(503, body, (b"retry-after", b"30")), 1, NOW_S, RetryPolicy(), 0.0)
    assert found.retry_at_s == NOW_S + 30
    assert react(answer(503, body), 1, NOW_S, RetryPolicy(), 0.0).retry_at_s < NOW_S + 2


def test_an_unregistered_token_is_dead_from_the_instant_of_the_answer() -> None:
    found = react(answer(404, fcm_answers.UNREGISTERED), 1, NOW_S, RetryPolicy(), 0.0)
    assert (found.action, found.invalidate_at_ms) == (Action.INVALIDATE, int(NOW_S * 1000))
