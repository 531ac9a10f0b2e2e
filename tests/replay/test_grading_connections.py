"""Grades of waiting, of connections and credentials, and of what becomes of tokens."""

import pytest

from loadtest.replay.grading import grade
from loadtest.replay.observed import Accepted, HandshakeFailed
from loadtest.replay.results import Outcome
from loadtest.replay.scenario import Phase
from tests.replay.told import Told, all_right


def test_a_repeat_before_the_time_named_is_early() -> None:
    told = Told(devices=1)
    told.refused(0, 1, 429, "TooManyRequests", retry_after="5", retry_after_s=5.0)
    assert told.of("retry_early_max") == ("held", 0)
    told.accepted(0, 6.1)
    assert told.of("retry_early_max") == ("held", 0)
    told.seen.clear()
    told.refused(0, 1, 429, "TooManyRequests", retry_after="5", retry_after_s=5.0)
    told.accepted(0, 5.5)
    row = told.row("retry_early_max")
    assert (row.grade, row.measured) == ("broken", 1)
    assert any("Retry-After: 5" in line for line in row.evidence)


def test_pauses_are_measured_where_no_time_is_named() -> None:
    told = Told(devices=1, expect={"retry_wait_s_min": 0.5})
    told.refused(0, 1, 503, "ServiceUnavailable")
    told.accepted(0, 1.1)
    grade, measured = told.of("retry_wait_s_min")
    assert grade == "broken"
    assert measured == pytest.approx(0.1, abs=0.01)


def test_only_what_has_to_be_sent_again_makes_a_pause() -> None:
    told = Told(devices=1, expect={"retry_wait_s_min": 0.5})
    told.accepted(0, 1)
    told.accepted(0, 1.1)
    assert told.of("retry_wait_s_min") == ("not graded", None)


def test_recovery_counts_from_the_end_of_the_last_faults_to_the_rate_before() -> None:
    told = Told(devices=60, expect={"recovery_s_max": 3.0}, phases=(Phase(name="faults", faults=("x",)),))
    for device in range(20):  # ten a second
        told.accepted(device, 1 + device / 10)
    told.fault(3.0)
    told.phase_ended(10)
    told.accepted(20, 11)  # one alone is no rate
    for device in range(21, 60):
        told.accepted(device, 14 + device / 100)
    grade, measured = told.of("recovery_s_max")
    assert grade == "broken"
    assert measured == pytest.approx(4.2, abs=0.05)


def test_faults_that_last_are_part_of_the_rate_before() -> None:
    phases = (Phase(name="distance", faults=("x",)), Phase(name="faults", faults=("x",)))
    told = Told(devices=60, expect={"recovery_s_max": 3.0}, phases=phases)
    told.phase_began(0.5, "distance")
    for device in range(20):  # ten a second, each of them delayed
        told.fault(1 + device / 10)
        told.accepted(device, 1 + device / 10)
    told.phase_began(3.0)
    told.fault(3.0)
    told.phase_ended(10)
    told.accepted(20, 11)
    for device in range(21, 60):
        told.accepted(device, 14 + device / 100)
    assert told.of("recovery_s_max") == ("broken", pytest.approx(4.2, abs=0.05))
    told.phase_ended(2.0, "distance")  # it did not last: from its first fault on there was no rate
    assert told.of("recovery_s_max") == ("held", pytest.approx(1.0, abs=0.01))


def test_recovery_is_not_graded_when_nothing_was_left() -> None:
    told = all_right(expect={"recovery_s_max": 3.0}, phases=(Phase(name="faults", faults=("x",)),))
    told.phase_ended(20)
    assert told.of("recovery_s_max") == ("not graded", None)


def test_more_streams_than_were_acknowledged_are_told() -> None:
    told = Told(devices=2)
    told.accepted(0, 1, streams_open=1, streams_max=1)
    told.accepted(1, 1, streams_open=2, streams_max=1)
    assert told.of("streams_over_limit_max") == ("broken", 1)


def test_streams_are_not_graded_where_no_limit_was_acknowledged() -> None:
    told = Told(devices=1)
    told.accepted(0, 1, streams_max=None)
    assert told.of("streams_over_limit_max") == ("not graded", None)


def test_connections_are_counted_by_run() -> None:
    told = all_right(expect={"connections_max": 1}, runs=2)
    told.opened(2, 101)
    assert told.of("connections_max") == ("held", 1)
    told.opened(3, 102)
    assert told.of("connections_max") == ("broken", 2)


def test_connects_are_counted_in_the_fullest_second() -> None:
    told = Told(expect={"connects_a_second_max": 2})
    told.seen += [Accepted(at_s=at_s, peer="") for at_s in (1.0, 1.9, 3.0, 5.0, 5.4, 5.9)]
    assert told.of("connects_a_second_max") == ("broken", 3)
    told.seen = [Accepted(at_s=at_s, peer="") for at_s in (1.0, 2.5, 4.0)]
    assert told.of("connects_a_second_max") == ("held", 1)


def test_failed_handshakes_are_told_with_their_cause() -> None:
    told = Told(expect={"handshakes_failed_max": 0})
    told.seen.append(HandshakeFailed(at_s=1, peer="p", why="UNKNOWN_CA"))
    row = told.row("handshakes_failed_max")
    assert row.grade == "broken"
    assert "UNKNOWN_CA" in row.evidence[0]


def test_a_ping_has_to_be_answered_while_there_is_time() -> None:
    told = Told()
    told.opened()
    told.ping(1, "aa", answered=True)
    told.closed(at_s=10)
    assert told.of("pings_ignored_max") == ("held", 0)
    told.ping(2, "bb", answered=False)
    assert told.of("pings_ignored_max") == ("broken", 1)


def test_a_ping_right_before_the_end_is_nobodys_fault() -> None:
    told = Told()
    told.opened()
    told.ping(9.5, "aa", answered=False)
    told.closed(at_s=10)
    assert told.of("pings_ignored_max") == ("not graded", None)


def test_credentials_are_counted_by_run() -> None:
    told = Told(devices=3, expect={"credentials_max": 1}, runs=2)
    told.accepted(0, 1, credential="c1")
    told.accepted(1, 101, credential="c2")
    assert told.of("credentials_max") == ("held", 1)
    told.accepted(0, 101, credential=None)
    assert told.of("credentials_max") == ("held", 1)
    told.accepted(2, 102, credential="c3")
    assert told.of("credentials_max") == ("broken", 2)


def test_bytes_and_frames_are_shared_among_what_was_accepted() -> None:
    told = all_right(devices=4, expect={"bytes_per_notification_max": 200.0, "frames_per_notification_max": 2.5})
    assert told.of("bytes_per_notification_max") == ("broken", 250.0)
    assert told.of("frames_per_notification_max") == ("held", 2.5)


# HTTP/1.1


def test_requests_over_http_1_1_follow_each_other_on_one_stream_id() -> None:
    told = Told(devices=3, provider="fcm")
    told.opened()
    for device in range(3):
        told.streams = -2  # the next is 0
        told.accepted(device, 1 + device, streams_max=None, notification_id=None)
    assert told.of("lost_max") == ("held", 0)
    assert told.of("not_retried_max") == ("not graded", None)
    told.streams = -2
    told.refused(1, 9, 404, "UNREGISTERED")
    told.said(1, 1, outcome=Outcome.REJECTED)
    lines = told.row("kept_wrongly_max").evidence
    assert sum("stream 0: answered" in line for line in lines) == 2  # of this device alone


# Tokens


def test_results_tell_of_good_tokens_that_were_dropped() -> None:
    told = all_right()
    told.said(1, 0, 1, outcome=Outcome.ACCEPTED)
    assert told.of("dropped_wrongly_max") == ("held", 0)
    told.said(1, 2, outcome=Outcome.INVALID)
    assert told.of("dropped_wrongly_max") == ("broken", 1)


def test_results_tell_of_dead_tokens_that_were_kept() -> None:
    told = Told(devices=2)
    told.refused(0, 1, 410, "Unregistered")
    told.refused(1, 1, 410, "Unregistered")
    told.said(1, 0, outcome=Outcome.INVALID)
    assert told.of("kept_wrongly_max") == ("held", 0)
    told.said(1, 1, outcome=Outcome.REJECTED)
    assert told.of("kept_wrongly_max") == ("broken", 1)


def test_fcm_tells_by_unregistered_alone_that_a_token_is_dead() -> None:
    told = Told(devices=2, provider="fcm")
    told.refused(0, 1, 404, "UNREGISTERED")
    told.refused(1, 1, 403, "SENDER_ID_MISMATCH")
    told.said(1, 0, 1, outcome=Outcome.REJECTED)
    assert told.of("kept_wrongly_max") == ("broken", 1)


def test_without_results_the_next_run_tells() -> None:
    told = Told(devices=3, runs=2)
    told.accepted(0, 1)
    told.refused(1, 1, 410, "Unregistered")
    told.accepted(2, 1)
    told.accepted(0, 101)
    told.accepted(1, 101)
    assert told.of("dropped_wrongly_max") == ("broken", 1)
    assert told.of("kept_wrongly_max") == ("broken", 1)


def test_without_results_or_a_next_run_nothing_is_graded() -> None:
    told = all_right()
    assert told.of("dropped_wrongly_max") == ("not graded", None)
    assert told.of("kept_wrongly_max") == ("not graded", None)


def test_results_that_cannot_be_read_are_told_whatever_else_is_known_of_tokens() -> None:
    told = all_right(runs=2)
    told.opened(2, 100.5)
    told.accepted(0, 101, connection=2)
    told.closed(2)
    told.results_problem = "run 1: the results are not UTF-8"
    assert told.of("dropped_wrongly_max")[0] == "broken"
    row = told.row("results")
    assert (row.grade, row.found) == ("broken", "run 1: the results are not UTF-8")
    assert "results" not in {each.expectation for each in grade(all_right().played)}


def test_a_410_from_before_the_registration_is_no_reason_to_drop() -> None:
    told = Told(devices=1)
    told.refused(0, 1, 410, "Unregistered", timestamp_ms=told.minted[0].registered_at_ms - 1)
    told.said(1, 0, outcome=Outcome.INVALID)
    assert told.broken == {"dropped_wrongly_max"}


def test_a_payload_that_fcm_refuses_is_no_reason_to_drop() -> None:
    told = Told(devices=1, provider="fcm")
    told.refused(0, 1, 400, "INVALID_ARGUMENT")
    told.said(1, 0, outcome=Outcome.INVALID)
    assert told.broken == {"dropped_wrongly_max"}


def test_a_registration_token_that_is_none_is_to_be_dropped() -> None:
    told = Told(devices=1, provider="fcm", fates={"invalid-shape": 1.0})
    told.refused(0, 1, 400, "INVALID_ARGUMENT")
    told.said(1, 0, outcome=Outcome.REJECTED)
    assert told.broken == {"kept_wrongly_max"}


@pytest.mark.parametrize("outcome", [Outcome.INVALID, Outcome.REJECTED])
def test_a_token_of_another_app_may_be_kept_or_not(outcome: Outcome) -> None:
    told = Told(devices=1, fates={"wrong-topic": 1.0})
    told.refused(0, 1, 400, "DeviceTokenNotForTopic")
    told.said(1, 0, outcome=outcome)
    assert not told.broken
