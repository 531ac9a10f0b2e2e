"""How a load test ended, in the words of the process that made the load."""

from collections.abc import Collection, Mapping

import msgspec

from loadtest.recording import Recording
from loadtest.tally import Tally
from simulator.devices.draws import FateShares


class LoadOutcome(msgspec.Struct, kw_only=True):
    """`finished`: every device has a final result. `stopped`: why the test ended early, or None.

    `repeated`: devices given to another worker, or user, after they may have been sent. `unknown`: that were not, and have no
    final result.
    `locust_requests`, `locust_failures`: the total in Locust's own statistics. `explained`: reasons of rejections that belong
    to the workload.
    """

    devices: int
    finished: bool
    stopped: str | None
    locust_requests: int
    locust_failures: int
    repeated: int = 0
    unknown: int = 0
    tally: Tally
    recording: Recording = msgspec.field(default_factory=Recording)
    explained: list[str] = []


def without_answer(devices: int, of: int, unknown: int) -> str:
    """What to say of devices without a final answer; of the `unknown` among them somebody may have one who will not tell."""
    known = f", of which {unknown:,} may have been sent" if unknown else ""
    return f"{devices:,} of {of:,} devices have no final answer{known}"


def possibly_twice(repeated: int) -> str:
    """What to say of so many devices that were given to another worker or user."""
    return f"{repeated:,} devices may have been sent twice: who had them before left without saying what became of them"


def unexplained(rejected: Mapping[str, int], fates: FateShares, also: Collection[str] = ()) -> dict[str, int]:
    """Rejections, by reason, that no fate of the population explains, and that are not `also` to be expected."""
    explained = {answer for fate, share in fates if share for answer in (fate.reason, fate.error_code)}.union(also)
    return {reason: count for reason, count in rejected.items() if count and reason not in explained}
