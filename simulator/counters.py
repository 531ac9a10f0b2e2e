"""What the simulator has done so far, as plain integers that the hot path bumps once per read.

Rendered for Prometheus by `simulator.control.metrics`, and as JSON by `GET /api/v1/stats`.
"""

from collections import Counter
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Counters:
    """Counts since the start or the last reset; `connections_open` is what is open now, and survives a reset.

    `rejected_by_reason` has at most one key for each row of the table of reasons. `limits_reached`: how often a client was
    stopped at a bound, by the name of the limit; also `file_descriptors` and `google_body_bytes_max`. `topic_deliveries`: of
    messages to FCM's topics, which count as one notification each. `google_calls`: requests to other services of Google
    than sending, by service. `resets`: how often they were reset, so that counts of before are told apart.
    """

    notifications: int = 0
    accepted: int = 0
    rejected_by_reason: Counter[str] = field(default_factory=Counter)
    topic_deliveries: int = 0
    topic_deliveries_refused: int = 0
    google_calls: Counter[str] = field(default_factory=Counter)
    connections_open: int = 0
    connections_total: int = 0
    handshakes_failed: int = 0
    streams: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    resets_received: int = 0
    resets_sent: int = 0
    goaways_received: int = 0
    goaways_sent: int = 0
    header_lists_refused: int = 0
    protocol_errors: int = 0
    limits_reached: Counter[str] = field(default_factory=Counter)
    resets: int = 0

    @property
    def rejected(self) -> int:
        """Notifications answered with a reason."""
        return sum(self.rejected_by_reason.values())

    def handshake_failed(self) -> None:
        """One TLS handshake more was refused, by the client or by the simulator."""
        self.handshakes_failed += 1

    def reset(self) -> None:
        """Count from 0 again, but for the connections that are open."""
        self._become(Counters(connections_open=self.connections_open, resets=self.resets + 1))

    def forget(self) -> None:
        """Count from 0, in a process that has only taken over the state of another."""
        self._become(Counters(resets=self.resets))

    def _become(self, fresh: "Counters") -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))
