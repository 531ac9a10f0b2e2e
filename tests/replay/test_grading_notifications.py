"""Grades of what became of notifications: lost, sent twice, sent again for nothing, left, waited for."""

from typing import Any

import msgspec
import pytest

from loadtest.replay.grading import grade
from loadtest.replay.observed import Goaway, Reset
from loadtest.replay.rows import Ending
from tests.replay.told import Told, all_right

REFUSED_STREAM, CANCEL, INTERNAL_ERROR = 7, 8, 2


def test_a_sender_that_does_all_right_has_nothing_broken() -> None:
    told = all_right()
    assert not told.broken
    assert told.of("lost_max") == ("held", 0)
    assert told.of("duplicated_max") == ("held", 0)


def test_what_had_no_occasion_is_not_graded() -> None:
    grades = {row.expectation: row.grade for row in grade(all_right().played)}
    for name in ("new_ids_max", "retried_final_max", "not_retried_max", "retry_early_max", "goaway_unheeded_max"):
        assert grades[name] == "not graded", name


def test_a_device_that_was_never_asked_for_is_lost() -> None:
    told = all_right(devices=4)
    told.devices = 5
    row = told.row("lost_max")
    assert (row.grade, row.measured) == ("broken", 1)
    assert row.evidence[1].strip() == "no request"


def test_a_device_that_was_refused_for_good_is_not_lost() -> None:
    told = Told(devices=1)
    told.refused(0, 1, 410, "Unregistered")
    assert told.of("lost_max") == ("held", 0)


def test_a_device_that_takes_no_notifications_is_not_lost() -> None:
    assert Told(devices=3, fates={"unregistered": 1.0}).of("lost_max") == ("held", 0)


def test_a_notification_of_which_the_answer_was_lost_is_not_lost_but_left_unsettled() -> None:
    told = Told(devices=1)
    told.opened()
    stream = told.asked(0, 1)
    told.judged(stream, 1.1)
    told.closed(at_s=2, by="simulator", how="reset")
    assert told.of("lost_max") == ("held", 0)
    assert told.of("not_retried_max") == ("broken", 1)


def test_a_second_acceptance_behind_the_first_is_a_duplicate() -> None:
    told = all_right()
    told.accepted(0, 5)
    row = told.row("duplicated_max")
    assert (row.grade, row.measured) == ("broken", 1)
    assert sum("answered 200" in line for line in row.evidence) == 2


@pytest.mark.parametrize("how", ["reset", "end"])
def test_a_repeat_is_no_duplicate_when_the_answer_was_lost_with_its_connection(how: str) -> None:
    told = Told(devices=1)
    told.opened()
    stream = told.asked(0, 1)
    told.judged(stream, 1.1)
    if how == "reset":
        told.answered(stream, 1.1, 200)  # written, and swept away
    told.closed(at_s=1.2, by="simulator", how=how)
    told.accepted(0, 3, connection=2)
    assert not told.broken
    assert told.of("new_ids_max") == ("held", 0)


def test_an_answer_well_before_the_reset_was_read() -> None:
    told = Told(devices=1)
    told.opened()
    told.accepted(0, 1)
    told.closed(at_s=9, by="simulator", how="reset")
    told.accepted(0, 10, connection=2)
    assert told.broken == {"duplicated_max"}


def test_a_repeat_while_the_first_is_in_flight_is_a_duplicate() -> None:
    told = Told(devices=1)
    first = told.asked(0, 1)
    second = told.asked(0, 1.5)
    told.judged(first, 2)
    told.answered(first, 2, 200)
    told.judged(second, 3)
    told.answered(second, 3, 200)
    assert told.of("duplicated_max") == ("broken", 1)


def test_a_stream_cancelled_while_its_answer_was_on_the_way_may_be_repeated() -> None:
    told = Told(devices=1)
    stream = told.accepted(0, 1)
    told.reset(stream, 1.1, CANCEL, by="client")
    told.accepted(0, 2)
    assert not told.broken


def test_streams_above_the_last_id_are_to_be_sent_again_and_the_others_not() -> None:
    told = Told(devices=2)
    told.opened()
    kept, dropped = told.asked(0, 1), told.asked(1, 1)
    told.goaway(kept, 2)
    told.judged(kept, 3)
    told.answered(kept, 3, 200)
    told.accepted(1, 4, connection=2)
    assert not told.broken
    assert dropped > kept
    told.accepted(0, 5, connection=2)
    assert told.broken == {"duplicated_max"}


def test_a_repeat_under_another_id_or_none_is_told() -> None:
    for given in ("other", None):
        told = Told(devices=1)
        told.reset(told.asked(0, 1), 2, INTERNAL_ERROR)
        told.accepted(0, 3, notification_id=given)
        assert told.of("new_ids_max") == ("broken", 1)


def test_a_refused_stream_may_come_back_under_another_id() -> None:
    told = Told(devices=1)
    told.reset(told.asked(0, 1), 2, REFUSED_STREAM)
    told.accepted(0, 3, notification_id="other")
    assert told.of("new_ids_max") == ("not graded", None)


def test_fcm_has_no_ids_so_none_is_expected() -> None:
    told = Told(devices=1, provider="fcm")
    told.reset(told.asked(0, 1, notification_id=None), 2, INTERNAL_ERROR)
    told.accepted(0, 3, notification_id=None)
    assert told.of("new_ids_max") == ("not graded", None)


def under_way_at_a_goaway(**closed: Any) -> Told:
    """Two requests are under way when GOAWAY names the latter. The connection ends, and both are sent again."""
    told = Told(devices=2)
    told.opened()
    told.asked(0, 1)
    told.goaway(told.asked(1, 1), 2)
    told.closed(at_s=2.5, **closed)
    told.opened(2, 3)
    for device in (0, 1):
        told.accepted(device, 3.5, connection=2)
    told.closed(2)
    return told


def test_what_a_goaway_left_to_be_answered_is_waited_for() -> None:
    row = under_way_at_a_goaway().row("goaway_unheeded_max")
    assert (row.grade, row.measured, row.found) == ("broken", 2, "2 of 2 given up at once and sent again")
    assert any("GOAWAY of the simulator" in line for line in row.evidence)


def test_a_stream_may_be_given_up_on_a_connection_that_goes_on() -> None:
    told = Told(devices=1)
    told.opened()
    stream = told.asked(0, 1)
    told.goaway(stream, 2)
    told.reset(stream, 2.9, CANCEL, by="client")
    assert told.of("goaway_unheeded_max") == ("held", 0)  # nor was it sent again
    told.accepted(0, 5)
    assert told.of("goaway_unheeded_max") == ("broken", 1)
    told.seen = [each for each in told.seen if not isinstance(each, Reset)]
    told.reset(stream, 3.1, CANCEL, by="client")
    assert told.of("goaway_unheeded_max") == ("held", 0)


def test_what_the_provider_breaks_off_itself_is_sent_again() -> None:
    assert under_way_at_a_goaway(by="simulator", how="reset").of("goaway_unheeded_max") == ("held", 0)


def test_what_was_answered_or_disowned_by_a_goaway_is_not_left_by_it() -> None:
    told = Told(devices=3)
    told.opened()
    last = told.accepted(0, 1)
    told.asked(1, 1)
    told.goaway(last, 2)
    told.closed(at_s=2.1)
    told.accepted(1, 3, connection=2)
    assert told.of("goaway_unheeded_max") == ("not graded", None)
    other = under_way_at_a_goaway()
    other.seen = [msgspec.structs.replace(each, code=11) if isinstance(each, Goaway) else each for each in other.seen]
    assert other.of("goaway_unheeded_max") == ("not graded", None)


def test_a_goaway_leaves_only_what_is_under_way_when_it_comes() -> None:
    told = Told(devices=3)
    told.opened()
    told.accepted(0, 1)
    told.reset(told.asked(1, 1), 1.5, CANCEL, by="client")
    told.goaway(99, 2)
    told.asked(2, 2.1)
    told.closed(at_s=2.5)
    for device in range(3):
        told.accepted(device, 3, connection=2)
    assert told.of("goaway_unheeded_max") == ("not graded", None)


def test_a_goaway_of_the_sender_leaves_nothing() -> None:
    told = under_way_at_a_goaway()
    told.seen = [msgspec.structs.replace(each, by="client") if isinstance(each, Goaway) else each for each in told.seen]
    assert told.of("goaway_unheeded_max") == ("not graded", None)


def test_answers_behind_a_goaway_are_what_is_waited_for() -> None:
    told = Told(devices=1)
    told.opened()
    stream = told.asked(0, 1)
    told.goaway(stream, 2)
    told.judged(stream, 3)
    told.answered(stream, 3, 200)
    told.closed(at_s=3.1)
    assert told.of("goaway_unheeded_max") == ("held", 0)


def test_attempts_are_counted_by_device() -> None:
    told = Told(devices=2, expect={"attempts_max": 3})
    for attempt in range(4):
        told.refused(0, 1 + attempt, 503, "ServiceUnavailable")
    told.accepted(1, 1)
    assert told.of("attempts_max") == ("broken", 4)
    told.expect = {"attempts_max": 4}
    assert told.of("attempts_max") == ("held", 4)


@pytest.mark.parametrize(
    ("provider", "status", "reason"),
    [("apns", 400, "BadTopic"), ("apns", 410, "Unregistered"), ("fcm", 404, "UNREGISTERED"), ("fcm", 400, None)],
)
def test_what_was_refused_for_good_is_not_to_be_sent_again(provider: str, status: int, reason: str | None) -> None:
    told = Told(devices=1, provider=provider)
    told.refused(0, 1, status, reason)
    assert told.of("retried_final_max") == ("held", 0)
    told.refused(0, 3, status, reason)
    assert told.of("retried_final_max") == ("broken", 1)


def test_a_dead_token_is_not_to_be_sent_to_in_the_next_run_either() -> None:
    told = Told(devices=1, runs=2, fates={"unregistered": 1.0})
    told.refused(0, 1, 410, "Unregistered")
    told.refused(0, 101, 410, "Unregistered")
    assert told.of("retried_final_max") == ("broken", 1)


def test_an_answer_from_before_the_registration_leaves_the_token_good() -> None:
    told = Told(devices=1, runs=2)
    long_ago_ms = told.minted[0].registered_at_ms - 1
    for at_s in (1, 101):
        told.refused(0, at_s, 410, "Unregistered", timestamp_ms=long_ago_ms)
    assert told.of("retried_final_max") == ("held", 0)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_can_be_retried_has_to_be(status: int) -> None:
    told = Told(devices=1)
    told.refused(0, 1, status)
    assert told.of("not_retried_max") == ("broken", 1)
    told.accepted(0, 3)
    assert told.of("not_retried_max") == ("held", 0)
    assert not told.broken


def test_an_expired_provider_token_is_to_be_renewed() -> None:
    told = Told(devices=1)
    told.refused(0, 1, 403, "ExpiredProviderToken")
    assert told.of("not_retried_max") == ("broken", 1)
    told.accepted(0, 2)
    assert not told.broken


def test_waiting_for_an_answer_is_measured_to_the_next_request_or_the_end() -> None:
    told = Told(devices=1, expect={"hung_s_max": 10.0})
    stream = told.asked(0, 1)
    assert told.of("hung_s_max") == ("broken", 49.0)
    told.reset(stream, 9, CANCEL, by="client")
    told.accepted(0, 10)
    assert told.of("hung_s_max") == ("held", 9.0)


def test_a_run_at_its_time_limit_is_told_with_what_the_sender_said() -> None:
    told = all_right()
    told.endings[1] = Ending(exit_code=137, duration_s=60, overdue=True, said="waiting…\n")
    row = told.row("time_limit_s")
    assert (row.grade, row.measured) == ("broken", 1)
    assert "  waiting…" in row.evidence


def test_nothing_holds_by_what_found_no_room() -> None:
    told = all_right()
    told.missed = 7
    row = told.row("lost_max")
    assert row.grade == "not graded"
    assert "7 observations" in row.found
    told.devices = 5
    assert told.row("lost_max").grade == "broken"


def test_a_sender_that_has_to_stop_is_held_to_that_alone() -> None:
    told = Told(expect={"stops": True, "says": "BadCertificateEnvironment", "connections_max": 2})
    told.opened()
    told.endings[1] = Ending(exit_code=4, duration_s=1, overdue=False, said="closed: badcertificateenvironment\n")
    assert [row.expectation for row in grade(told.played)] == ["time_limit_s", "connections_max", "stops", "says"]
    assert not told.broken
    told.endings[1] = Ending(exit_code=4, duration_s=1, overdue=False, said="failed\n")
    assert told.broken == {"says"}


def test_an_answer_from_before_the_goaway_counts_though_its_stream_is_above_the_last_id() -> None:
    told = Told(devices=1)
    told.opened()
    stream = told.accepted(0, 1)
    told.goaway(stream - 2, 3)
    told.accepted(0, 4, connection=2)
    assert told.of("duplicated_max") == ("broken", 1)


def test_a_repeat_that_was_refused_is_no_duplicate() -> None:
    told = Told(devices=1)
    told.accepted(0, 1)
    told.refused(0, 3, 429, "TooManyRequests")
    assert told.of("duplicated_max") == ("held", 0)


def test_an_acceptance_that_may_have_been_read_is_not_left_unsettled() -> None:
    told = Told(devices=1)
    told.opened()
    told.accepted(0, 1)
    told.closed(at_s=1.2, by="simulator", how="reset")
    assert told.of("not_retried_max")[0] != "broken"
