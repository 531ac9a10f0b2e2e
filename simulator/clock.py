"""The simulator's one clock: real, frozen at an instant, or shifted against the real one.

Everything that the simulator dates or ages asks this clock, so that a test runs through a 28-day rule in milliseconds.
The real time comes in as a callable; nothing here reads the machine's clock.
"""

from collections.abc import Callable
from enum import Enum, unique

INSTANT_MS_MAX = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last instant that common date types can hold


@unique
class ClockMode(Enum):
    """How the clock runs."""

    REAL = "real"  # shows real time
    FROZEN = "frozen"  # stands at an instant until it is advanced or resumed
    SHIFTED = "shifted"  # runs with real time, ahead of it by what it was advanced


class Clock:
    """Real, frozen or shifted time. `real_now_s`: seconds since the Unix epoch, such as `time.time`."""

    __slots__ = ("_frozen_at_ms", "_real_now_s", "_shift_ms")

    def __init__(self, real_now_s: Callable[[], float]) -> None:
        self._real_now_s = real_now_s
        self._shift_ms = 0
        self._frozen_at_ms: int | None = None

    @property
    def mode(self) -> ClockMode:
        """How the clock runs now."""
        if self._frozen_at_ms is not None:
            return ClockMode.FROZEN
        return ClockMode.SHIFTED if self._shift_ms else ClockMode.REAL

    @property
    def offset_s(self) -> float:
        """The rig's now less the real now. A credential's age counts from the real instant it was issued, plus this."""
        if self._frozen_at_ms is not None:
            return self._frozen_at_ms / 1000 - self._real_now_s()
        return self._shift_ms / 1000

    def now_s(self) -> float:
        """Seconds since the Unix epoch."""
        if self._frozen_at_ms is not None:
            return self._frozen_at_ms / 1000
        return self._real_now_s() + self._shift_ms / 1000

    def now_ms(self) -> int:
        """Whole milliseconds since the Unix epoch."""
        if self._frozen_at_ms is not None:
            return self._frozen_at_ms
        return int(self._real_now_s() * 1000) + self._shift_ms

    @property
    def setting(self) -> tuple[int | None, int]:
        """All that makes this clock differ from the real one: where it is frozen, if it is, and its shift, milliseconds."""
        return self._frozen_at_ms, self._shift_ms

    def set_as(self, frozen_at_ms: int | None, shift_ms: int) -> None:
        """Run as another clock does, of which this is the `setting`."""
        self._frozen_at_ms, self._shift_ms = frozen_at_ms, shift_ms

    def freeze(self, at_ms: int | None = None) -> None:
        """Stand still at an instant (default: now), which may lie in the past. Raises `ValueError` out of range."""
        instant_ms = self.now_ms() if at_ms is None else at_ms
        _require_instant(instant_ms)
        self._frozen_at_ms = instant_ms

    def advance(self, delta_ms: int) -> None:
        """Move forward; a frozen clock stays frozen. Raises `ValueError` for a negative delta or past the year 9999."""
        if delta_ms < 0:
            raise ValueError(f"the clock advances by 0 ms or more, not {delta_ms}; to go back, freeze it at an instant")
        _require_instant(self.now_ms() + delta_ms)
        if self._frozen_at_ms is not None:
            self._frozen_at_ms += delta_ms
        else:
            self._shift_ms += delta_ms

    def resume(self) -> None:
        """Show real time again, with no shift."""
        self._frozen_at_ms = None
        self._shift_ms = 0


def _require_instant(instant_ms: int) -> None:
    if not 0 <= instant_ms <= INSTANT_MS_MAX:
        raise ValueError(
            f"{instant_ms} ms since the Unix epoch is not between 1970 and the end of 9999 (0 to {INSTANT_MS_MAX})"
        )
