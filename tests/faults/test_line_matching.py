"""Which connections and clients faults meet, and what they then remember."""

import pytest

from simulator.devices.fates import Provider
from simulator.faults.engine import Faults, Planned, Played
from simulator.faults.fault import Fault, Stage
from simulator.faults.goaway import GoawayFault
from simulator.faults.handshake import HandshakeFault
from simulator.faults.idle_close import IdleCloseFault
from simulator.faults.line import USUAL_HANDSHAKE, USUAL_OPENING
from simulator.faults.match import Match
from simulator.faults.no_alpn import NoAlpnFault
from simulator.faults.refuse import RefuseFault
from simulator.faults.stream_limit import StreamLimitFault

OPENING = GoawayFault(when="opening")


def added(fault: Fault, match: Match, *, connections: int = 0, arrivals: int = 0) -> Faults:
    faults = Faults()
    faults.connections, faults.arrivals = connections, arrivals
    faults.add(Planned(fault, match), 1_000.0)
    return faults


@pytest.mark.parametrize(
    ("match", "met"),
    [
        (Match(), [11, 12, 13, 14]),
        (Match(to_connection=2), [11, 12]),
        (Match(from_connection=2, every_connection=2), [12, 14]),
        (Match(times_max=3), [11, 12, 13]),
        (Match(from_s=0.5), []),
        (Match(provider="fcm"), []),
    ],
)
def test_openings_are_matched_by_number_time_and_provider(match: Match, met: list[int]) -> None:
    faults = added(OPENING, match, connections=10)
    found = [
        number for number in range(11, 15) if faults.opening_of(number, Provider.APNS, 1_000.0) is not USUAL_OPENING
    ]
    assert found == met
    assert faults.played["goaway"] == len(met)


def test_a_host_of_nobodys_is_met_by_faults_of_either_provider() -> None:
    faults = added(OPENING, Match(provider="fcm"))
    assert faults.opening_of(1, None, 1_000.0) is not USUAL_OPENING


def test_a_window_of_time_counts_from_when_the_fault_was_added() -> None:
    faults = added(OPENING, Match(from_s=5, until_s=6))
    met = [now_s for now_s in (1_004.9, 1_005.0, 1_005.9, 1_006.0) if faults.opening_of(1, None, now_s).acts]
    assert met == [1_005.0, 1_005.9]


def test_over_http1_only_what_makes_sense_there_is_played() -> None:
    faults = added(OPENING, Match())
    faults.add(Planned(IdleCloseFault()), 1_000.0)
    opening = faults.opening_of(1, None, 1_000.0, http1=True)
    assert opening.acts == ()
    assert opening.idle_close is not None


def test_clients_are_counted_apart_from_connections() -> None:
    faults = added(HandshakeFault(manner="reset"), Match(to_connection=2), connections=1, arrivals=10)
    met = [number for number in range(11, 15) if faults.handshake_of(number, 1_000.0) is not USUAL_HANDSHAKE]
    assert met == [11, 12]


def test_a_port_is_refused_while_the_time_is_right_and_that_is_no_handshake() -> None:
    faults = added(RefuseFault(), Match(until_s=5))
    refusing = faults.refusing(1_004.9)
    assert refusing is not None
    assert faults.refusing(1_005.0) is None
    assert faults.handshake_of(1, 1_000.0) is USUAL_HANDSHAKE
    assert faults.played["refuse-connections"] == 0
    faults.count_refusal(refusing)
    assert faults.played["refuse-connections"] == 1


def test_faults_come_and_go_by_kind_and_somebody_is_told() -> None:
    faults, told = Faults(), []
    faults.changed = lambda: told.append(len(faults))
    numbers = [
        faults.add(Planned(fault), 0.0).number
        for fault in (OPENING, NoAlpnFault(), GoawayFault(), StreamLimitFault(when="opening", until="success"))
    ]
    kinds = [faults.on_openings, faults.on_arrivals, faults.on_requests]
    assert [[each.number for each in kind] for kind in kinds] == [[1, 4], [2], [3, 4]]
    for number in numbers:
        assert faults.remove(number)
    assert not any((faults.on_openings, faults.on_arrivals, faults.on_requests))
    assert told == [1, 2, 3, 4, 3, 2, 1, 0]


def test_who_looks_on_is_told_of_openings_and_clients() -> None:
    faults, told = added(OPENING, Match()), list[Played]()
    faults.add(Planned(HandshakeFault(delay_s=1)), 0.0)
    faults.watched = told.append
    faults.opening_of(7, None, 1_000.0)
    faults.handshake_of(1, 1_000.0)
    assert told == [Played(1, "goaway", None, 7), Played(2, "handshake", None)]


@pytest.mark.parametrize(
    ("fault", "match", "why"),
    [
        (
            OPENING,
            Match(topic="x"),
            "at the opening of a connection, and nothing is known then of topic; leave that out",
        ),
        (IdleCloseFault(), Match(from_request=2, share_of_tokens=0.5), "of share_of_tokens, from_request;"),
        (NoAlpnFault(), Match(provider="apns"), "when a client comes, and nothing is known then of provider;"),
        (RefuseFault(), Match(path="/"), "closes whole ports, whoever comes; path has no place there; leave that out"),
        (RefuseFault(), Match(to_connection=2, times_max=1), "to_connection, times_max has no place there;"),
    ],
)
def test_a_match_that_could_never_be_is_refused(fault: Fault, match: Match, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Faults().add(Planned(fault, match, Stage.BEFORE_JUDGE), 0.0)


@pytest.mark.parametrize("fault", [GoawayFault(), StreamLimitFault(when="opening", until="success")])
def test_where_requests_are_met_too_all_of_a_match_may_be_given(fault: Fault) -> None:
    Faults().add(Planned(fault, Match(topic="x", provider="apns", from_request=2)), 0.0)
