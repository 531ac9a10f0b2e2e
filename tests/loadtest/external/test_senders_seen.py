"""Requests of several senders, told apart by whose devices they are about."""

import msgspec

from loadtest.external.senders_seen import UNCLAIMED_MAX, SendersSeen
from loadtest.replay.observed import Observation, RequestSeen, Verdict
from loadtest.report.sender_record import SenderSeen
from simulator.devices.registration_space import RegistrationPopulation, fid_of
from simulator.devices.token_space import Environment, Population
from tests.loadtest.external.test_requests_seen import answer, closed, opened, request

SEED = 7
SHARES = [range(10, 20), range(20, 30)]
TOKENS = [each.token for each in Population(SEED, 40, "com.example.app", Environment.PRODUCTION, ()).mint_range(0, 40)]
REGISTRATIONS = [each.token for each in RegistrationPopulation(SEED, 40, "com.example.app").mint_range(0, 40)]


def about(connection: int, stream: int, at_s: float, token: str | None, provider: str = "apns") -> RequestSeen:
    plain = request(connection, stream, at_s)
    return msgspec.structs.replace(plain, token=token, provider=provider)


def verdict(connection: int, stream: int, at_s: float, status: int = 200, reason: str | None = None) -> Verdict:
    return Verdict(
        at_s=at_s, connection=connection, stream=stream, provider="apns", token="", status=status, reason=reason, message_id=""
    )  # fmt: skip


def seen(*observations: Observation) -> list[SenderSeen]:
    made = SendersSeen(SEED, SHARES)
    made.take(observations)
    return made.each()


def test_each_sender_has_the_requests_of_its_own_connections() -> None:
    first, second = seen(
        opened(1), opened(2),
        about(1, 1, 1.0, TOKENS[19]), verdict(1, 1, 1.0), answer(1, 1, 1.002),
        about(2, 1, 1.0, TOKENS[20]), verdict(2, 1, 1.0, 410, "Unregistered"), answer(2, 1, 1.004),
        about(1, 3, 1.5, TOKENS[10]), verdict(1, 3, 1.5),
        closed(1, unanswered=(3,)),
    )  # fmt: skip
    assert (first.notifications, first.accepted, first.rejected) == (2, 2, {})
    assert (first.elapsed_s, first.rate_per_s) == (0.5, 4.0)
    assert (first.gap_ms["max"], first.answer_ms["max"]) == (499.968, 2.0)
    assert (first.connections.opened, first.connections.unanswered) == (1, 1)
    assert first.connections.ended == {"client: end": 1}
    assert (second.notifications, second.rejected, second.gap_ms) == (1, {"Unregistered": 1}, {})
    assert (second.elapsed_s, second.rate_per_s) == (0.0, 0.0)
    assert (second.connections.opened, second.connections.ended) == (1, {})


def test_what_a_connection_had_before_its_first_known_device_is_its_senders_too() -> None:
    first, second = seen(
        opened(1), about(1, 1, 1.0, None), about(1, 3, 1.1, "no token of ours"), verdict(1, 3, 1.1, 400, "BadDeviceToken"),
        about(1, 5, 1.2, TOKENS[25]), verdict(1, 5, 1.2), about(1, 7, 1.3, TOKENS[11]), verdict(1, 7, 1.3),
    )  # fmt: skip
    assert (second.connections.requests["max"], second.notifications) == (4, 3)
    assert first.notifications == 0


def test_registrations_and_their_fids_name_senders_too() -> None:
    fid = fid_of(REGISTRATIONS[21].encode())
    assert fid is not None
    first, second = seen(about(1, 1, 1.0, REGISTRATIONS[12], "fcm"), about(2, 1, 1.0, fid.decode(), "fcm"))
    assert (first.connections.requests["max"], second.connections.requests["max"]) == (1, 1)


def test_devices_of_nobody_here_are_nobodys() -> None:
    (other,) = Population(SEED + 1, 1, "com.example.app", Environment.PRODUCTION, ()).mint_range(0, 1)
    found = seen(about(1, 1, 1.0, TOKENS[9]), about(2, 1, 1.0, TOKENS[30]), about(3, 1, 1.0, other.token))
    assert all(not each.connections.requests for each in found)


def test_of_a_connection_without_a_device_so_much_is_kept_and_nothing_when_it_is_closed() -> None:
    made = SendersSeen(SEED, SHARES)
    made.take([opened(1), *(about(1, number, 1.0, None) for number in range(1_000))])
    assert len(made._unclaimed[1]) == UNCLAIMED_MAX
    made.take([closed(1), opened(2), about(2, 1, 1.0, TOKENS[12]), closed(2)])
    assert not made._unclaimed and not made._of_connection
    assert made.all.connections().opened == 2
