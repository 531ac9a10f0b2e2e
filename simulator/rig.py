"""All state of one simulator in one record, passed in wherever it is needed: nothing is global.

So two simulators live in one process, and a test builds one out of parts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from simulator.apns.state import ApnsState
from simulator.bounds import BoundReachedError
from simulator.clock import Clock
from simulator.counters import Counters
from simulator.devices.token_space import COUNT_MAX, Environment, Fate, Minted, Population
from simulator.fcm.state import FcmState
from simulator.journal import Journal
from simulator.ledger import Ledger
from simulator.registry import Registry

# Devices registered by hand get a population of their own; the bytes spell it. Nothing but a user's choice of the same
# number can make the tokens of another population equal to these.
REGISTRATION_SEED = int.from_bytes(b"register", "big")
REGISTRATION_SEEDS_MAX = 1_000


class Registrations:
    """Which index the next device gets that is registered by hand, for each seed; so that tokens never repeat.

    `seed`: where a registration names none.
    """

    __slots__ = ("_next_index", "first_index", "seed")

    def __init__(self, seed: int = REGISTRATION_SEED) -> None:
        self.seed = seed
        self.first_index = 0  # of the rig's own devices that count in the running ledger
        self._next_index: dict[int, int] = {}

    def next_index(self, seed: int) -> int:
        """The index that the next device of this seed will get."""
        return self._next_index.get(seed, 0)

    def mint(
        self, seed: int, count: int, topic: str, environment: Environment, fate: Fate, epoch_ms: int
    ) -> Iterator[Minted]:
        """Mint the next `count` devices of a seed. The indices are taken at the call, the tokens made one by one.

        Raises `ValueError` for a seed, topic or count out of range, `BoundReachedError` for too many seeds.
        """
        first = self.next_index(seed)
        if seed not in self._next_index and len(self._next_index) >= REGISTRATION_SEEDS_MAX:
            raise BoundReachedError(
                "REGISTRATION_SEEDS_MAX", REGISTRATION_SEEDS_MAX, "use a seed again, or leave it out"
            )
        if first + count > COUNT_MAX:
            raise ValueError(f"seed {seed} has {COUNT_MAX - first} devices left of {COUNT_MAX}; use another seed")
        shares = () if fate is Fate.ACTIVE else ((fate, 1.0),)
        population = Population(seed, first + count, topic, environment, shares, epoch_ms)
        minted = population.mint_range(first)
        self._next_index[seed] = first + count
        return minted

    def start_over(self) -> None:
        """From now on the ledger counts only devices that are yet to be registered; tokens still do not repeat."""
        self.first_index = self.next_index(self.seed)


@dataclass(slots=True)
class Rig:
    """One simulator's state: what the listeners, the judges and the control plane share.

    `registry` is the overlay of `apns`, the same object. Raises `ValueError` when it is not.
    """

    clock: Clock
    registry: Registry
    ledger: Ledger
    journal: Journal
    counters: Counters
    apns: ApnsState
    fcm: FcmState
    registrations: Registrations = field(default_factory=Registrations)

    def __post_init__(self) -> None:
        if self.apns.overlay is not self.registry:
            raise ValueError("the registry of a rig must be the overlay of its APNs state: pass the same object")
