"""All state of one simulator in one record, passed in wherever it is needed: nothing is global.

So two simulators live in one process, and a test builds one out of parts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from simulator.apns.state import ApnsState
from simulator.bounds import BoundReachedError
from simulator.clock import Clock
from simulator.counters import Counters
from simulator.devices.draws import COUNT_MAX, Devices, Minted
from simulator.devices.fates import Fate, Provider
from simulator.devices.registration_space import REGISTRATION_SEED_MAX
from simulator.faults.engine import Faults, Played
from simulator.fcm.state import FcmState
from simulator.frame_log import FrameLog, Sink
from simulator.journal import Journal
from simulator.ledger import Ledger
from simulator.observations import Observations
from simulator.registry import Registry

if TYPE_CHECKING:
    from simulator.scenario_player import ScenarioPlayer

# Devices registered by hand get populations of their own; the bytes spell them. Nothing but a user's choice of the same
# number can make the tokens of another population equal to these. FCM's tokens have room for four bytes.
REGISTRATION_SEED = int.from_bytes(b"register", "big")
FCM_REGISTRATION_SEED = int.from_bytes(b"regs", "big")
MALFORMED_REGISTRATION_SEED = int.from_bytes(b"torn", "big")
REGISTRATION_SEEDS_MAX = 1_000


class Registrations:
    """Which index the next device gets that is registered by hand, for each seed, whoever the provider; so tokens never repeat.

    `seed`: of the simulator; its own populations keep apart from those of simulators with another.
    """

    __slots__ = ("_first_index", "_next_index", "_own", "_own_malformed")

    def __init__(self, seed: int = 0) -> None:
        fcm_seed = seed & REGISTRATION_SEED_MAX
        self._own = {Provider.APNS: REGISTRATION_SEED ^ seed, Provider.FCM: FCM_REGISTRATION_SEED ^ fcm_seed}
        # Nothing resolves the tokens of this fate, so that the ledger cannot count them: they stand apart from those it does.
        self._own_malformed = MALFORMED_REGISTRATION_SEED ^ fcm_seed
        self._first_index: dict[int, int] = {}
        self._next_index: dict[int, int] = {}

    def own_seed(self, provider: Provider, fate: Fate) -> int:
        """The seed of the rig's own devices of a provider with this fate: where a registration names none."""
        return self._own_malformed if fate is Fate.INVALID_SHAPE else self._own[provider]

    def first_index(self, seed: int) -> int:
        """Of the rig's own devices with this seed, the first that counts in the running ledger."""
        return self._first_index.get(seed, 0)

    def next_index(self, seed: int) -> int:
        """The index that the next device of this seed will get."""
        return self._next_index.get(seed, 0)

    def mint(self, seed: int, count: int, population_of: Callable[[int], Devices]) -> Iterator[Minted]:
        """Mint the next `count` devices of a seed. The indices are taken at the call, the tokens made one by one.

        `population_of`: makes the population of so many devices. Raises `ValueError` where that does, or when the seed has
        not so many left; `BoundReachedError` for too many seeds.
        """
        first = self.next_index(seed)
        if seed not in self._next_index and len(self._next_index) >= REGISTRATION_SEEDS_MAX:
            raise BoundReachedError(
                "REGISTRATION_SEEDS_MAX", REGISTRATION_SEEDS_MAX, "use a seed again, or leave it out"
            )
        if first + count > COUNT_MAX:
            raise ValueError(f"seed {seed} has {COUNT_MAX - first} devices left of {COUNT_MAX}; use another seed")
        minted = population_of(first + count).mint_range(first)
        self._next_index[seed] = first + count
        return minted

    def start_over(self) -> None:
        """From now on the ledger counts only devices that are yet to be registered; tokens still do not repeat."""
        self._first_index = {seed: self.next_index(seed) for seed in self._own.values()}


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
    faults: Faults = field(default_factory=Faults)
    observations: Observations = field(default_factory=lambda: Observations(lambda: 0.0))
    frame_log: FrameLog = field(default_factory=lambda: FrameLog(lambda: 0.0))
    scenario: "ScenarioPlayer | None" = None

    def __post_init__(self) -> None:
        if self.apns.overlay is not self.registry:
            raise ValueError("the registry of a rig must be the overlay of its APNs state: pass the same object")

    def observe(self, began_s: float | None = None) -> None:
        """Keep records of all that is seen and done on connections from now on; what was kept before is forgotten.

        `began_s`: when that began elsewhere (`Observations.begin`).
        """
        self.observations.begin(began_s)
        self.journal.watch(self.observations.judged)
        self._watch_faults()

    def stop_observing(self) -> None:
        """Keep no more records; those there are can still be read."""
        self.observations.end()
        self.journal.watch(None)
        self._watch_faults()

    def log_frames(self, sink: Sink | None = None, *, began_s: float | None = None) -> None:
        """Write down the frames of all connections that are opened from now on. `sink`: takes the lines besides.

        `began_s`: when the log began elsewhere (`FrameLog.begin`).
        """
        began = datetime.fromtimestamp(self.clock.now_s(), UTC)
        self.frame_log.begin(began.isoformat(timespec="milliseconds"), sink, began_s=began_s)
        self._watch_faults()

    def stop_logging_frames(self) -> None:
        """Write down no more frames; the recent ones can still be read."""
        self.frame_log.end()
        self._watch_faults()

    def _watch_faults(self) -> None:
        watching: list[Callable[[Played], None]] = []
        if self.observations.on:
            watching.append(self.observations.played)
        if self.frame_log.on:
            watching.append(self.frame_log.played)

        def tell_all(played: Played) -> None:
            for each in watching:
                each(played)

        self.faults.watched = tell_all if watching else None
