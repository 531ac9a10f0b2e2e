"""How a load test ended, in the words of the process that made the load."""

import msgspec

from loadtest.tally import Tally
from simulator.devices.token_space import Fate


class LoadOutcome(msgspec.Struct, kw_only=True):
    """`finished`: every device has a final result. `stopped`: why the test ended early, or None.

    `locust_requests`, `locust_failures`: the total in Locust's own statistics.
    """

    devices: int
    finished: bool
    stopped: str | None
    locust_requests: int
    locust_failures: int
    tally: Tally


def unexpected_rejections(tally: Tally, fates: tuple[tuple[Fate, float], ...]) -> dict[str, int]:
    """Rejections, by reason, that no fate of the population explains."""
    explained = {fate.reason for fate, share in fates if share}
    return {reason: count for reason, count in tally.rejected.items() if reason not in explained}
