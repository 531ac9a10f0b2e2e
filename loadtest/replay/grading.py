"""Grades a sender: one row for each expectation of the scenario, by pure functions of what was observed.

An expectation that could not be observed is `not graded`: neither pass nor fail. How each is measured stands with its check.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, unique

from loadtest.replay import connection_checks, ending_checks, notification_checks, token_checks, waiting_checks
from loadtest.replay.rows import BROKEN, HELD, NOT_GRADED, Grade, Measured, Number, Played, Row


@unique
class Bound(Enum):
    """How a measure stands to the limit of its expectation."""

    MOST = "at most"
    LEAST = "at least"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation. `name`: as in scenario files. `words`: with {limit} or {most}. `when_stopping`: if it must stop too."""

    name: str
    words: str
    measure: Callable[[Played], Measured]
    bound: Bound = Bound.MOST
    when_stopping: bool = False


TIME_LIMIT = Expectation("time_limit_s", "ends by itself within {limit:g} s", ending_checks.overdue, when_stopping=True)
"""Of every scenario, whatever it expects."""

_notifications, _waiting, _connections = notification_checks, waiting_checks, connection_checks

EXPECTATIONS: Sequence[Expectation] = (
    Expectation("lost_max", "{most} notifications lost", _notifications.lost),
    Expectation("duplicated_max", "{most} notifications sent twice without need", _notifications.duplicated),
    Expectation("new_ids_max", "{most} repeats under another id", _notifications.new_ids),
    Expectation(
        "goaway_unheeded_max", "{most} repeats of what a GOAWAY left to be answered", _notifications.goaway_unheeded
    ),
    Expectation("attempts_max", "{most} attempts each", _notifications.attempts),
    Expectation("retried_final_max", "{most} repeats after a final answer", _notifications.retried_final),
    Expectation("not_retried_max", "{most} notifications left unsettled", _notifications.not_retried),
    Expectation("hung_s_max", "no unanswered one waits longer than {limit:g} s", _notifications.hung),
    Expectation("retry_early_max", "{most} repeats before Retry-After allows", _waiting.retry_early),
    Expectation("retry_wait_s_min", "pauses {limit:g} s or longer before a repeat", _waiting.retry_wait, Bound.LEAST),
    Expectation("recovery_s_max", "back at its rate within {limit:g} s", _waiting.recovery),
    Expectation("streams_over_limit_max", "{most} streams over the limit", _connections.streams_over_limit),
    Expectation("connections_max", "{most} connections a run", _connections.connections, when_stopping=True),
    Expectation("connects_a_second_max", "{most} connects a second", _connections.connects_a_second),
    Expectation("handshakes_failed_max", "{most} handshakes that fail", _connections.handshakes_failed),
    Expectation("pings_ignored_max", "{most} PINGs without answer", _connections.pings_ignored),
    Expectation("credentials_max", "{most} provider or access tokens a run", _connections.credentials),
    Expectation("bytes_per_notification_max", "{most} bytes a notification", _connections.bytes_per_notification),
    Expectation("frames_per_notification_max", "{most} frames a notification", _connections.frames_per_notification),
    Expectation("dropped_wrongly_max", "{most} good tokens dropped", token_checks.dropped_wrongly),
    Expectation("kept_wrongly_max", "{most} dead tokens kept", token_checks.kept_wrongly),
    Expectation("stops", "gives up by itself", ending_checks.overdue, when_stopping=True),
    Expectation("says", "says “{limit}”", ending_checks.says, when_stopping=True),
)
"""Field by field of a scenario's `[expect]`, in its order."""


def grade(played: Played) -> tuple[Row, ...]:
    """The rows of one scenario, in the order of the lists above; one more for results that cannot be read."""
    expect = played.scenario.expect
    rows = [_row(played, TIME_LIMIT, played.scenario.time_limit_s)]
    for each in EXPECTATIONS:
        limit = getattr(expect, each.name)
        if limit is None or limit is False or (expect.stops and not each.when_stopping):
            continue
        rows.append(_row(played, each, limit))
    if played.results_problem is not None:
        rows.append(
            Row(expectation="results", expected="results that can be read", grade=BROKEN, found=played.results_problem)
        )
    return tuple(rows)


def _row(played: Played, expectation: Expectation, limit: Number | str) -> Row:
    measured = expectation.measure(played)
    grade_given, found = _graded(expectation, limit, measured), measured.found
    if grade_given == HELD and played.missed:
        grade_given = NOT_GRADED
        found = f"{found}, as far as was observed: {played.missed:,} observations found no room"
    return Row(
        expectation=expectation.name,
        expected=expectation.words.format(limit=limit, most=_most(limit)),
        grade=grade_given,
        limit=limit if isinstance(limit, int | float) and not isinstance(limit, bool) else None,
        measured=measured.value,
        found=found,
        evidence=tuple(measured.worst()) if grade_given == BROKEN else (),
    )


def _most(limit: Number | str) -> str:
    return "no" if not limit else f"at most {limit:,g}" if isinstance(limit, int | float) else ""


def _graded(expectation: Expectation, limit: Number | str, measured: Measured) -> Grade:
    if measured.value is None:
        return NOT_GRADED
    match expectation.name:
        case "time_limit_s" | "stops":  # counts the runs that did not
            kept = measured.value == 0
        case "says":
            kept = measured.value == 1
        case _:
            assert not isinstance(limit, str)
            kept = measured.value >= limit if expectation.bound is Bound.LEAST else measured.value <= limit
    return HELD if kept else BROKEN
