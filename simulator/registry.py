"""The overlay: states of devices that were set by hand, over what their tokens say of themselves.

Synthetic tokens carry their own fate, so only the exceptions are stored.
"""

from collections.abc import Callable, Generator
from typing import NamedTuple

from simulator.bounds import BoundReachedError
from simulator.devices.fates import Fate

OVERLAY_DEVICES_MAX = 100_000  # some 30 MB
_FREED_A_STEP = 2_000


class DeviceState(NamedTuple):
    """A state set by hand. `since_ms`: since the Unix epoch; the `timestamp` of a 410 answer."""

    fate: Fate
    since_ms: int


class Registry:
    """Device states by the key of a token. `active` is true while there is any: the hot path tests only that.

    `key_of`: what all texts of one device have in common. APNs reads tokens in either case, so theirs is the lower-case
    text; to FCM case matters, and a token and its installation id are one (`simulator.fcm.registrations`).
    """

    __slots__ = ("_devices_max", "_key_of", "_states", "active")

    def __init__(
        self, devices_max: int = OVERLAY_DEVICES_MAX, *, key_of: Callable[[bytes], bytes] = bytes.lower
    ) -> None:
        self._devices_max = devices_max
        self._key_of = key_of
        self._states: dict[bytes, DeviceState] = {}
        self.active = False

    def __len__(self) -> int:
        return len(self._states)

    def get(self, key: bytes) -> DeviceState | None:
        """The state set for the token of this key, or None. For APNs: the token in lower case."""
        return self._states.get(key)

    def set(self, token: bytes, state: DeviceState) -> None:
        """Set the state of a token (as it was written). Raises `BoundReachedError` when no further token fits."""
        key = self._key_of(token)
        if key not in self._states and len(self._states) >= self._devices_max:
            raise BoundReachedError(
                "OVERLAY_DEVICES_MAX",
                self._devices_max,
                "remove states that are no longer needed (DELETE /api/v1/tokens/{token}), or reset the overlay",
            )
        self._states[key] = state
        self.active = True

    def remove(self, token: bytes) -> bool:
        """Forget the state of a token (as it was written). False: there was none."""
        removed = self._states.pop(self._key_of(token), None) is not None
        self.active = bool(self._states)
        return removed

    def clear(self) -> None:
        """Forget all states."""
        for _ in self.clear_steps():
            pass

    def clear_steps(self) -> Generator[None, None, None]:
        """Forget all states at the first step; the rest frees their memory, a millisecond at a time."""
        forgotten, self._states = self._states, {}
        self.active = False
        while forgotten:
            yield
            for _ in range(min(_FREED_A_STEP, len(forgotten))):
                forgotten.popitem()
