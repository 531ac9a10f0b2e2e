"""The overlay keeps states set by hand, up to its bound."""

import pytest

from simulator.bounds import BoundReachedError
from simulator.devices.fates import Fate
from simulator.registry import DeviceState, Registry

GONE = DeviceState(Fate.UNREGISTERED, 5)


def test_a_state_is_found_whatever_the_case_it_was_set_in() -> None:
    registry = Registry()
    registry.set(b"AB12", GONE)
    assert (registry.get(b"ab12"), registry.get(b"ab13"), registry.active) == (GONE, None, True)


def test_an_overlay_of_another_key_tells_apart_what_that_tells_apart() -> None:
    registry = Registry(key_of=lambda token: token[:2])
    registry.set(b"AB:one", GONE)
    assert (registry.get(b"AB"), registry.get(b"ab"), registry.get(b"AB:one")) == (GONE, None, None)
    assert not registry.remove(b"ab:one")
    assert registry.remove(b"AB:two")


def test_an_overlay_is_inactive_until_a_state_is_set_and_once_all_are_removed() -> None:
    registry = Registry()
    assert not registry.active
    registry.set(b"ab", GONE)
    assert registry.remove(b"AB") and not registry.remove(b"ab")
    assert (registry.active, len(registry)) == (False, 0)


def test_a_full_overlay_refuses_a_further_token_but_changes_those_it_has() -> None:
    registry = Registry(devices_max=2)
    registry.set(b"01", GONE)
    registry.set(b"02", GONE)
    with pytest.raises(BoundReachedError, match="OVERLAY_DEVICES_MAX") as refused:
        registry.set(b"03", GONE)
    assert refused.value.maximum == 2
    active = DeviceState(Fate.ACTIVE, 6)
    registry.set(b"02", active)
    assert (registry.get(b"02"), registry.get(b"03"), len(registry)) == (active, None, 2)


def test_clearing_forgets_all_at_its_first_step() -> None:
    registry = Registry()
    for number in range(5_000):
        registry.set(b"%04x" % number, GONE)
    steps = registry.clear_steps()
    next(steps)
    assert (len(registry), registry.active, registry.get(b"0001")) == (0, False, None)
    registry.set(b"0001", GONE)
    assert sum(1 for _ in steps) > 1
    assert len(registry) == 1
