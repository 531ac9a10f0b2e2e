"""What is asked of the simulator while senders send: counters, and the first and newest notifications."""

import msgspec

from loadtest.control_client import ControlClient


class Counted(msgspec.Struct, frozen=True):
    """Counters of the provider port, as `GET /api/v1/stats` has them."""

    notifications: int
    accepted: int
    rejected: int
    rejected_by_reason: dict[str, int]
    connections_open: int
    connections_total: int
    handshakes_failed: int
    resets_received: int
    resets_sent: int
    goaways_received: int
    goaways_sent: int
    protocol_errors: int
    limits_reached: dict[str, int]


class Noted(msgspec.Struct, frozen=True):
    """A notification as the journal has it. `number`: from 1. `at_ms`: since the Unix epoch."""

    number: int
    at_ms: int
    connection_id: int


class _ObservingChange(msgspec.Struct, frozen=True):
    on: bool


class _Stats(msgspec.Struct, frozen=True):
    counters: Counted


class _Notifications(msgspec.Struct, frozen=True):
    items: list[Noted]


class ControlView(ControlClient):
    """The control plane of the simulator that the senders meet. All calls raise ControlPlaneError."""

    def counted(self) -> Counted:
        """The counters now."""
        return self._call("GET", "stats", _Stats).counters

    def await_first(self, wait_s: float) -> Noted | None:
        """The first notification, once it has come; None: not within `wait_s`."""
        found = self._call("GET", f"notifications?order=oldest&limit=1&count=1&wait_s={wait_s:g}", _Notifications)
        return found.items[0] if found.items else None

    def newest(self, limit: int) -> list[Noted]:
        """The last notifications, newest first. One after the other: none is left out."""
        return self._call("GET", f"notifications?order=newest&limit={limit}", _Notifications).items

    def observe(self) -> None:
        """Follow all connections that are opened from now on."""
        self._answer("PUT", "observing", _ObservingChange(True))
