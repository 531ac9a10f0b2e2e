"""A scenario, as far as it is read here: what `pushrig scenarios show NAME --json` prints. The simulator has the whole of it.

`expect` stands here field by field: each is an expectation that `grading` grades, and a test compares the two lists.
"""

import msgspec

TIMEOUT_S = 30.0


class Expectations(msgspec.Struct, frozen=True, kw_only=True):
    """What a good sender keeps to; the simulator's record of this name says it all. None: not expected here."""

    lost_max: int = 0
    duplicated_max: int = 0
    new_ids_max: int = 0
    goaway_unheeded_max: int = 0
    attempts_max: int | None = None
    retried_final_max: int = 0
    not_retried_max: int = 0
    hung_s_max: float | None = None
    retry_early_max: int = 0
    retry_wait_s_min: float | None = None
    recovery_s_max: float | None = None
    streams_over_limit_max: int = 0
    connections_max: int | None = None
    connects_a_second_max: int | None = None
    handshakes_failed_max: int | None = None
    pings_ignored_max: int = 0
    credentials_max: int | None = None
    bytes_per_notification_max: float | None = None
    frames_per_notification_max: float | None = None
    dropped_wrongly_max: int = 0
    kept_wrongly_max: int = 0
    stops: bool = False
    says: str | None = None


class Population(msgspec.Struct, frozen=True, kw_only=True):
    """The devices. `fates`: shares by name. `ios`: a share of FCM's."""

    devices: int
    topic: str = "com.example.app"
    fates: dict[str, float] = {}
    ios: float = 0.0


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of a run."""

    name: str
    faults: tuple[str, ...] = ()


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario."""

    name: str
    title: str
    what_happens: str = ""
    good_sender: str = ""
    sources: tuple[str, ...] = ()
    seed: int = 1
    providers: tuple[str, ...]
    runs: int = 1
    time_limit_s: float = 60.0
    population: Population
    phase: tuple[Phase, ...] = ()
    expect: Expectations = Expectations()
