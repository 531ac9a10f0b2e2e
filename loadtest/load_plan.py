"""What a load test was to do, as its report tells it."""

from dataclasses import dataclass

CLOSED_LOOP = "closed"


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The plan, checked.

    `profile`: as given. `arrivals`: `constant` or `poisson` when they were scheduled, `closed` when each user sent as fast as
    it was answered. `connections`: of all users to all providers. `processes`: that send. `workloads`: their names, none for
    the ordinary load. `delivered_later`: some devices are reached after the last answer.
    """

    provider: str
    endpoint: str
    seed: int
    devices: int
    users: int
    batch_size: int
    connections: int
    profile: str
    arrivals: str
    processes: int = 1
    workloads: tuple[str, ...] = ()
    delivered_later: bool = False

    @property
    def scheduled(self) -> bool:
        """An open loop."""
        return self.arrivals != CLOSED_LOOP
