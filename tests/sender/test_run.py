"""When a run exchanges with its source, when it has stalled, and when it is over."""

import errno
from itertools import count

from sender.credential import CredentialAnswer
from sender.fcm.access_token import AccessTokenSource
from sender.lane import Lane
from sender.pool import Endpoint, PoolOptions
from sender.run import BATCH_MAX, UNCOMMITTED_MAX, Pacer, Run, Seat, Wanted
from sender.store.records import Exchange, Outcome, State
from tests.sender.scripted_provider import START_S, ScriptedProvider, delivery, due, fcm_delivery
from tests.sender.test_access_token_source import granted, refused, source

ENDPOINT = Endpoint("provider.test", 443, tls=True)


def begun(rate_per_s: float = 0.0) -> Run:
    return Run(delivery(), ENDPOINT, PoolOptions(stall_timeout_s=10.0), Pacer(rate_per_s, START_S), START_S)


def claim(run: Run, count: int, *, exhausted: bool = False, retry_at_ms: int | None = None) -> Wanted:
    """One exchange in which the source gives `count` notifications."""
    wanted = run.exchange_at_tick(START_S)
    assert wanted is not None
    run.exchanged(Exchange([due(number) for number in range(count)], retry_at_ms, exhausted), START_S)
    return wanted


def accept_all(run: Run) -> None:
    while run.delivery.ready:
        each = run.delivery.ready.popleft()
        run.delivery.outcomes.append(Outcome(each.device_id, State.ACCEPTED, 200, "", 1, 0, 0, 0))


def test_a_run_begins_with_a_claim() -> None:
    assert claim(begun(), BATCH_MAX) == Wanted([], BATCH_MAX, int(START_S * 1000))


def test_claims_stop_at_the_bound_of_what_may_be_uncommitted() -> None:
    run = begun()
    claim(run, BATCH_MAX)
    run.delivery.ready.clear()  # all in flight
    while (wanted := run.exchange_after_read(START_S)) is not None:
        run.exchanged(Exchange([due(n) for n in range(wanted.want)], None, False), START_S)
        run.delivery.ready.clear()
    assert UNCOMMITTED_MAX - BATCH_MAX < run.delivery.claimed <= UNCOMMITTED_MAX


def test_what_an_exchange_stores_makes_room_for_what_it_claims() -> None:
    run, in_flight, numbers = begun(), set[int](), count()
    for answered in [0, 0, 0, 1, BATCH_MAX, 100, UNCOMMITTED_MAX, UNCOMMITTED_MAX, 0, BATCH_MAX]:
        for each in sorted(in_flight)[:answered]:
            run.delivery.outcomes.append(Outcome(each, State.ACCEPTED, 200, "", 1, 0, 0, 0))
        wanted = run.exchange_at_tick(START_S)
        if wanted is None:
            assert len(in_flight) == UNCOMMITTED_MAX and not answered
            continue
        # One transaction: what the store has in flight changes from one set to the other at once.
        in_flight -= {outcome.device_id for outcome in wanted.outcomes}
        claimed = [due(next(numbers)) for _ in range(wanted.want)]
        in_flight |= {each.device_id for each in claimed}
        assert len(in_flight) <= UNCOMMITTED_MAX
        assert wanted.want == BATCH_MAX or len(in_flight) == UNCOMMITTED_MAX
        run.exchanged(Exchange(claimed, None, False), START_S)
        run.delivery.ready.clear()
        assert run.delivery.claimed == len(in_flight)


def test_a_source_that_has_nothing_now_is_not_asked_after_every_read() -> None:
    run = begun()
    claim(run, 0, retry_at_ms=int(START_S * 1000) + 5_000)
    assert run.exchange_after_read(START_S) is None
    assert run.exchange_at_tick(START_S + 4.9) is None
    assert run.exchange_at_tick(START_S + 5.0) is not None


def test_only_one_exchange_at_a_time() -> None:
    run = begun()
    assert run.exchange_at_tick(START_S) is not None
    assert run.exchange_at_tick(START_S) is None


def test_the_last_outcomes_need_not_wait_for_the_tick() -> None:
    run = begun()
    claim(run, 3, exhausted=True)
    assert run.exchange_after_read(START_S) is None
    accept_all(run)
    wanted = run.exchange_after_read(START_S)
    assert wanted is not None
    assert len(wanted.outcomes) == 3
    assert not run.end_if_done()
    run.exchanged(Exchange([], None, True), START_S)
    assert run.end_if_done()
    assert run.exchange_at_tick(START_S) is None


def test_a_finished_run_goes_on_when_it_is_begun_again() -> None:
    run = begun()
    claim(run, 0, exhausted=True)
    assert run.end_if_done()
    run.begin(START_S)
    assert claim(run, 1).want == BATCH_MAX


def test_a_stopped_run_gives_back_what_was_not_sent_and_ends() -> None:
    run = begun()
    claim(run, 5)
    run.delivery.stop("enough")
    wanted = run.exchange_at_tick(START_S)
    assert wanted is not None
    assert (wanted.want, [outcome.state for outcome in wanted.outcomes]) == (0, [State.GIVEN_UP] * 5)
    run.exchanged(Exchange([], None, False), START_S)
    assert run.end_if_done()


def test_a_stopped_run_does_not_wait_for_retries() -> None:
    run = begun()
    claim(run, 0, retry_at_ms=int(START_S * 1000) + 60_000)
    run.delivery.stop("enough")
    assert run.exchange_at_tick(START_S) is not None
    run.exchanged(Exchange([], int(START_S * 1000) + 60_000, False), START_S)
    assert run.end_if_done()


def test_silence_stalls_a_run_only_while_answers_are_due() -> None:
    run = begun()
    assert not run.stalled(START_S + 100)
    claim(run, 1)
    run.last_error = "connection refused"
    assert not run.stalled(START_S + 10.0)
    assert run.stalled(START_S + 10.1)
    assert run.delivery.stopped == "no answer from provider.test for 10 s; the last error was: connection refused"


def test_a_run_that_is_held_has_not_stalled() -> None:
    run = begun()
    claim(run, 1)
    run.delivery.held_until_s = START_S + 60
    assert not run.stalled(START_S + 69)
    assert run.stalled(START_S + 71)


def fetched() -> tuple[Run, AccessTokenSource]:
    credential = source()
    return Run(
        fcm_delivery(credential), ENDPOINT, PoolOptions(stall_timeout_s=10.0), Pacer(0.0, START_S), START_S
    ), credential


def test_a_credential_is_asked_for_once_there_is_something_to_send() -> None:
    run, credential = fetched()
    assert run.credential_request(START_S) is None
    claim(run, 1)
    assert run.credential_request(START_S) is not None
    assert run.credential_request(START_S) is None, "one request at a time"
    run.credential_answered(granted(), START_S, 0.5)
    assert credential.text(START_S) is not None and run.delivery.stopped is None
    run.delivery.stop("enough")
    assert run.credential_request(START_S + 3_600) is None


def test_a_credential_that_is_refused_stops_every_run_that_shares_it() -> None:
    run, credential = fetched()
    other = Run(fcm_delivery(credential), ENDPOINT, PoolOptions(), Pacer(0.0, START_S), START_S)
    claim(run, 1)
    claim(other, 1)
    assert run.credential_request(START_S) is not None
    run.credential_answered(refused(400, "invalid_grant", "Invalid JWT Signature."), START_S, 0.5)
    assert run.delivery.stopped is not None and "Invalid JWT Signature." in run.delivery.stopped
    assert other.credential_request(START_S) is None
    assert other.delivery.stopped == run.delivery.stopped


def test_a_run_that_gets_no_credential_stalls_and_says_why() -> None:
    run, _ = fetched()
    claim(run, 1)
    run.last_error = "a connection was reset"
    assert run.credential_request(START_S) is not None
    run.credential_answered(CredentialAnswer(0, error="Connection refused"), START_S, 0.5)
    assert run.stalled(START_S + 11)
    assert run.delivery.stopped is not None and run.delivery.stopped.endswith("/token: Connection refused")


def test_runs_that_share_a_store_have_their_share_of_what_may_be_uncommitted() -> None:
    run = begun()
    run.allow_uncommitted(UNCOMMITTED_MAX // 2)
    assert claim(run, 0).want == BATCH_MAX // 2
    while (wanted := run.exchange_at_tick(START_S)) is not None:
        run.exchanged(Exchange([due(n) for n in range(wanted.want)], None, False), START_S)
        run.delivery.ready.clear()
    assert run.delivery.claimed == UNCOMMITTED_MAX // 2
    run.allow_uncommitted(UNCOMMITTED_MAX)
    wanted = run.exchange_at_tick(START_S)
    assert wanted is not None and wanted.want == BATCH_MAX


def test_runs_that_share_a_pacer_keep_one_rate_together() -> None:
    pacer = Pacer(100.0, START_S)
    runs = [Run(delivery(), ENDPOINT, PoolOptions(), pacer, START_S) for _ in range(2)]
    providers = [ScriptedProvider(run.delivery) for run in runs]
    for run in runs:
        claim(run, 500)
    for step in range(11):
        for run, provider in zip(runs, providers, strict=True):
            run.tick(START_S + step / 10)
            run.fill(provider.lane, START_S + step / 10)
    assert sum(run.delivery.counts.sent for run in runs) == 101


def test_a_seat_waits_longer_after_each_failure_and_not_after_an_answer() -> None:
    run = begun()
    seat = Seat(run)
    pauses = []
    for _ in range(4):
        pauses.append(seat.pause_s(0.5))
        seat.not_connected(ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"))
    assert pauses == sorted(pauses)
    assert pauses[0] == 0.0 < pauses[1]
    lane = Lane(run.delivery, PoolOptions().lane, START_S)
    lane.settled = 1
    seat.closed(lane)
    assert seat.pause_s(0.5) == 0.0
