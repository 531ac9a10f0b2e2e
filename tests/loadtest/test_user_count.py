"""How many users a load takes by default."""

from pathlib import Path

import pytest

from loadtest.profiles import Curve, Until
from loadtest.user_count import BODY_BYTES, USERS_DEFAULT_MAX, USERS_IN_A_CLOSED_LOOP, body_bytes_of, users_for
from simulator.devices.fates import Provider

APNS, FCM = {Provider.APNS: 1.0}, {Provider.FCM: 1.0}
BOTH = {Provider.APNS: 0.9, Provider.FCM: 0.1}


@pytest.mark.parametrize(
    ("rate_per_s", "shares", "connections", "body_bytes", "users"),
    [
        (1_000.0, APNS, 1, 128, 4),  # 100 at once: any will do
        (75_000.0, APNS, 1, 128, 8),  # 3,750 at once, 511 in a window
        (75_000.0, APNS, 2, 128, 4),
        (75_000.0, APNS, 1, 10, 4),  # 1,000 streams
        (2_000.0, APNS, 1, 4_096, 7),  # 100 at once, 15 in a window
        (60_000.0, FCM, 1, 128, 6),  # 3,000 at once; five connections of 100 streams
        (10_000.0, BOTH, 1, 128, 4),
        (70_000.0, BOTH, 1, 128, 7),  # APNs
        (1e7, APNS, 1, 128, USERS_DEFAULT_MAX),
        (1e7, APNS, 1, 100_000, USERS_DEFAULT_MAX),
    ],
)
def test_what_comes_while_an_answer_is_waited_for_has_room(
    rate_per_s: float, shares: dict[Provider, float], connections: int, body_bytes: int, users: int
) -> None:
    assert users_for(Curve([(0, rate_per_s)]), 100_000, shares, connections, body_bytes) == users


def test_the_peak_counts_and_of_it_what_the_devices_reach() -> None:
    ramp = Curve([(0, 0), (10, 100_000)])
    assert users_for(ramp, 1_000_000, APNS, 1) == 10
    assert users_for(ramp, 5_000, APNS, 1) == 4  # they end in the first second
    assert users_for(Until(Curve([(0, 75_000.0)]), 1.0), 75_000, APNS, 1) == 8


def test_a_closed_loop_has_its_own() -> None:
    assert users_for(None, 100_000, APNS, 1) == USERS_IN_A_CLOSED_LOOP


def test_the_largest_content_decides_and_our_own_is_small(tmp_path: Path) -> None:
    payload, message = tmp_path / "payload.json", tmp_path / "message.json"
    payload.write_bytes(b"x" * 900)
    message.write_bytes(b"x" * 50)
    assert body_bytes_of(payload, message) == 900
    assert body_bytes_of(None, message) == 50
    assert body_bytes_of(None, None) == BODY_BYTES
