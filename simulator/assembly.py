"""Settings and credentials into a simulator's state: the one place where all its parts are put together."""

import os
import time

from simulator.apns.keys import ProviderKey
from simulator.apns.penalty import PenaltyRules
from simulator.apns.state import ApnsState, Authentication, UnknownTokens
from simulator.apns.token_updates import UpdateScope
from simulator.clock import Clock
from simulator.counters import Counters
from simulator.credentials import Credentials
from simulator.devices.token_space import Environment
from simulator.faults.engine import Faults
from simulator.fcm.access_token import AccessTokens
from simulator.fcm.registrations import Registrations as FcmRegistrations
from simulator.fcm.state import FcmState, Project
from simulator.frame_log import FrameLog
from simulator.journal import Journal
from simulator.ledger import Ledger
from simulator.observations import Observations
from simulator.rates.rate_limits import RateLimits
from simulator.registry import Registry
from simulator.rig import Registrations, Rig
from simulator.settings import ServeSettings


def make_rig(settings: ServeSettings, credentials: Credentials) -> Rig:
    """The state of a simulator that has not heard of anybody yet. Raises CredentialsError for a damaged key file."""
    clock = Clock(time.time)
    registry = Registry()
    rates = RateLimits.of(settings.rates, settings.workers)
    apns = ApnsState(
        overlay=registry,
        clock_offset_s=lambda: clock.offset_s,
        authentication=Authentication(settings.auth),
        unknown_tokens=UnknownTokens(settings.unknown_tokens),
        update_interval_s=settings.provider_token_update_interval_s,
        update_scope=UpdateScope(settings.provider_token_update_scope),
        penalty_rules=PenaltyRules() if settings.penalty == "on" else None,
        device_rate=None if rates.apns_device is None else rates.apns_device.refuses,
        connection_rate=None if rates.apns_connection is None else rates.apns_connection.refuses,
        provider_token_rate=None if rates.apns_provider_token is None else rates.apns_provider_token.refuses,
        epoch_ms=settings.epoch_ms,
    )
    apns.add_key(ProviderKey(credentials.team_id, credentials.key_id, credentials.public_key()))
    if settings.topics:
        apns.set_team_topics(credentials.team_id, settings.topics)
    fcm_registrations = FcmRegistrations()
    fcm = FcmState(
        Project(credentials.project_id, credentials.project_number),
        AccessTokens(
            credentials.service_account(), lambda: clock.offset_s, os.urandom, lenient=settings.auth == "lenient"
        ),
        apns,
        settings.topic,
        fcm_registrations,
        Registry(key_of=fcm_registrations.key_of),
        apns_environment=Environment[settings.environment.upper()],
        rates=rates,
        unknown_tokens=UnknownTokens(settings.unknown_tokens),
    )
    return Rig(
        clock=clock,
        registry=registry,
        ledger=Ledger(),
        journal=Journal(settings.journal_entries_max),
        counters=Counters(),
        apns=apns,
        fcm=fcm,
        # Apart from every population that a user mints with the same small seed.
        registrations=Registrations(settings.seed),
        faults=Faults(settings.seed),
        observations=Observations(time.monotonic),
        frame_log=FrameLog(time.monotonic),
    )
