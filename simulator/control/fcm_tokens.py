"""FCM's side of `/api/v1/tokens`: registrations minted, and what the rig knows of one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from simulator.apns.state import Condition
from simulator.control.token_records import (
    ExpectedAnswer,
    LedgerMark,
    RegistrationFacts,
    SealedFacts,
    SeatFacts,
    StateShown,
    TokenAnswer,
)
from simulator.devices.draws import Minted
from simulator.devices.fates import Fate
from simulator.devices.registration_space import (
    Platform,
    RegistrationPopulation,
    SealedRegistration,
    is_fid_shape,
    kind_of_registration,
    seal_registration,
)
from simulator.fcm.judge import refused_delivery
from simulator.fcm.message import Message, Notification
from simulator.fcm.registrations import Registration
from simulator.rig import Rig

TOPICS_SHOWN_MAX: Final = 100
"""Of one registration, which may follow 2,000."""


def mint_registrations(rig: Rig, seed: int, count: int, platform: Platform, fate: Fate) -> Iterator[Minted]:
    """The next registrations of a seed, all of one platform and fate. Raises as `rig.Registrations.mint` does."""
    shares = () if fate is Fate.ACTIVE else ((fate, 1.0),)
    ios_share = 1.0 if platform is Platform.IOS else 0.0
    first = rig.registrations.next_index(seed)
    minted = rig.registrations.mint(
        seed,
        count,
        lambda end: RegistrationPopulation(seed, end, rig.fcm.application, shares, ios_share, rig.apns.epoch_ms),
    )
    # Populations have no devices of the web. What is malformed tells no platform.
    return _of_web(minted, seed, first) if platform is Platform.WEB and fate is not Fate.INVALID_SHAPE else minted


def _of_web(minted: Iterator[Minted], seed: int, first: int) -> Iterator[Minted]:
    for index, device in enumerate(minted, first):
        kind = kind_of_registration(Platform.WEB, device.fate)
        yield device._replace(token=seal_registration(SealedRegistration(kind, seed, index)))


def known_of_registration(rig: Rig, text: bytes, registration: Registration) -> TokenAnswer:
    """What the rig knows of the registration that `text`, a token or FID, names."""
    sealed = registration.sealed
    state = rig.fcm.overlay.get(registration.key)
    return TokenAnswer(
        token=text.decode("ascii"),
        provider="fcm",
        sealed=None
        if sealed is None
        else SealedFacts(
            seed=sealed.seed,
            index=sealed.index,
            fate=sealed.fate.wire_name,
            died_at_ms=None,
            environment=None,
            topic_tag=None,
            platform=sealed.platform.name.lower(),
        ),
        state_set=None if state is None else StateShown(state.fate.wire_name, state.since_ms),
        answer=_expected(rig, text, registration),
        ledger=None if sealed is None else LedgerMark(*rig.ledger.mark(sealed.seed, sealed.index)),
        registration=_facts(rig, registration),
    )


def _facts(rig: Rig, registration: Registration) -> RegistrationFacts:
    key = registration.key
    seat = registration.seat(rig.fcm.application, rig.fcm.apns_environment)
    followed = rig.fcm.subscriptions.of_registration(key)
    return RegistrationFacts(
        fid=key.decode("ascii") if is_fid_shape(key) else None,
        platform=registration.platform.name.lower(),
        imported=registration.imported is not None,
        apns=None
        if seat is None
        else SeatFacts(seat.token.decode("ascii"), seat.application, seat.environment.name.lower()),
        topics_count=len(followed),
        topics=[each.topic for each in followed[:TOPICS_SHOWN_MAX]],
    )


def _expected(rig: Rig, text: bytes, registration: Registration) -> ExpectedAnswer:
    """By the judge's own checks, on a state in which looking counts against no rate and APNs is in order."""
    apns = replace(rig.apns, device_rate=None, connection_rate=None, provider_token_rate=None, condition=Condition.OK)
    message = Message(token=text.decode("ascii"), notification=Notification(title="Hello"))
    refused = refused_delivery(registration, message, replace(rig.fcm, apns=apns), rig.clock.now_s())
    if refused is None:
        return ExpectedAnswer(200, None, None)
    return ExpectedAnswer(refused.cause.status, refused.cause.reason, None)
