"""What requests of senders change in one copy of a simulator's state comes to be in another that is told."""

import msgspec

from simulator.apns.token_updates import UpdateScope
from simulator.counters import Counters
from simulator.devices.token_space import Environment
from simulator.fcm.access_token import Grant
from simulator.fcm.registrations import ApnsSeat
from simulator.journal import Journal
from simulator.ledger import Ledger
from simulator.rig import Rig
from simulator.traffic_changes import TrafficChange, watch_traffic
from tests.apns.test_provider_token_age import AgingBench
from tests.apns.valid_push import NOW_S, jwt
from tests.control.control_server import REAL_NOW_S, new_rig
from tests.fcm.fcm_state import fcm_state

REGISTRATION = b"a-foreign-registration"


def _over_a_wire(change: TrafficChange, rig: Rig) -> None:
    """Encode a change, decode it, and have a rig make it."""
    read = msgspec.msgpack.Decoder(TrafficChange).decode(msgspec.msgpack.encode(change))
    for _ in read.apply(rig):
        pass


def _pair() -> tuple[Rig, Rig]:
    """A rig, and another that is told what requests change in the first."""
    one, other = new_rig(), new_rig()
    watch_traffic(one, lambda change: _over_a_wire(change, other))
    return one, other


def test_subscriptions_come_and_go_in_the_other_copy() -> None:
    one, other = _pair()
    one.fcm.subscriptions.add(REGISTRATION, "news", 5.5)
    one.fcm.subscriptions.add(REGISTRATION, "news", 9.0)
    one.fcm.subscriptions.add(REGISTRATION, "sport", 0.0)
    assert other.fcm.subscriptions.of_registration(REGISTRATION) == one.fcm.subscriptions.of_registration(REGISTRATION)
    one.fcm.subscriptions.remove(REGISTRATION, "news")
    assert [each.topic for each in other.fcm.subscriptions.of_registration(REGISTRATION)] == ["sport"]
    assert len(other.fcm.subscriptions) == 1


def test_an_import_makes_the_same_registration_in_the_other_copy() -> None:
    one, other = _pair()
    token = one.fcm.registrations.import_apns("com.example.app", Environment.SANDBOX, b"AB" * 32)
    seat = ApnsSeat(b"ab" * 32, "com.example.app", Environment.SANDBOX)
    found = other.fcm.registrations.find(token)
    assert found is not None and found.imported == seat


def test_a_self_signed_token_ages_from_its_first_sight_in_the_other_copy() -> None:
    one, other = _pair()
    assert one.fcm.access.watched is not None
    grant = Grant("me", frozenset({"scope"}), float("-inf"), REAL_NOW_S, may_send=True)
    one.fcm.access.watched(b"Bearer a.b.c", grant)
    assert other.fcm.access.grant_of(b"Bearer a.b.c", REAL_NOW_S - 1) == grant
    assert other.fcm.access.grant_of(b"Bearer a.b.c", REAL_NOW_S) != grant


def _rig_of(bench: AgingBench) -> Rig:
    apns = bench.apns
    return Rig(bench.clock, apns.overlay, Ledger(), Journal(0), Counters(), apns, fcm_state(apns))


def _benches() -> tuple[AgingBench, AgingBench]:
    """One APNs, and another that is told of its tokens."""
    one, other = AgingBench(), AgingBench()
    other_rig = _rig_of(other)
    watch_traffic(_rig_of(one), lambda change: _over_a_wire(change, other_rig))
    return one, other


def test_a_provider_token_ages_from_its_first_sight_in_the_other_copy() -> None:
    one, other = _benches()
    token = jwt(issued_at_s=int(NOW_S))
    assert one.answer_to(token) is None
    for bench in (one, other):
        bench.clock.advance(3_601_000)
    assert [bench.answer_to(token) for bench in (one, other)] == ["ExpiredProviderToken"] * 2
    assert AgingBench().answer_to(token) is None


def test_a_keys_current_token_counts_across_copies() -> None:
    one, other = _benches()
    for bench in (one, other):
        bench.apns.update_scope = UpdateScope.KEY
    first, second = jwt(issued_at_s=int(NOW_S)), jwt(issued_at_s=int(NOW_S) - 1)
    assert one.answer_to(first) is None
    assert other.answer_to(second) == "TooManyProviderTokenUpdates"
    assert other.answer_to(first) is None
    # Told once more, as the front tells who made a change too, it is no new version of the state.
    version = other.apns.version
    for identity, current in one.apns.key_tokens.items():
        other.apns.put_key_token(identity, current)
    assert other.apns.version == version
