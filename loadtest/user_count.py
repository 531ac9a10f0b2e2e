"""How many users a load takes where nobody says: enough that windows and streams do not hold a schedule up."""

import math
from collections.abc import Mapping
from pathlib import Path

from loadtest.load_settings import connections_to
from loadtest.profiles import Profile, peak_until
from simulator.devices.fates import Provider

USERS_IN_A_CLOSED_LOOP = 4
USERS_MIN, USERS_DEFAULT_MAX = 4, 32
ANSWER_S = 0.05
"""An answer may take so long, again and again, before what is scheduled has to wait for room."""
BODY_BYTES = 128
"""Of our own payload, about."""
WINDOW_BYTES = 65_535  # of a connection to either provider, as both leave it
STREAMS = {Provider.APNS: 1_000, Provider.FCM: 100}


def users_for(
    profile: Profile | None,
    devices: int,
    shares: Mapping[Provider, float],
    connections_per_user: int,
    body_bytes: int = BODY_BYTES,
) -> int:
    """`shares`: of the notifications, by provider. `body_bytes`: of one notification.

    What is in flight at once is bounded by each connection's window and streams; at the profile's peak it is what comes in
    `ANSWER_S`.
    """
    if profile is None:
        return USERS_IN_A_CLOSED_LOOP
    at_once = peak_until(profile, devices) * ANSWER_S
    needed = max(
        at_once * share / (connections_to(provider, connections_per_user) * _room(provider, body_bytes))
        for provider, share in shares.items()
    )
    return min(USERS_DEFAULT_MAX, max(USERS_MIN, math.ceil(needed)))


def body_bytes_of(*contents: Path | None) -> int:
    """The largest of the files that notifications are made of, about; our own where there is none. Raises OSError."""
    return max((each.stat().st_size for each in contents if each is not None), default=BODY_BYTES)


def _room(provider: Provider, body_bytes: int) -> int:
    return min(STREAMS[provider], max(1, WINDOW_BYTES // max(1, body_bytes)))
