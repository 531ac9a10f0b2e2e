"""What the rig saw and did, one record after another, while somebody asked for it: enough to grade any sender. No I/O.

Off by default, and then not a record is made. What is kept is bounded; at the bound the newest are counted and not kept, so
that what is there stays whole from its beginning.
"""

from collections.abc import Callable, Sequence
from itertools import islice

from simulator.faults.engine import Played
from simulator.journal import Row
from simulator.observation_records import FaultPlayed, Observation, Verdict

OBSERVATIONS_MAX = 500_000
"""Records kept: some 250 MB. A notification makes three."""


class Observations:
    """The records of one simulator. `monotonic_s`: any clock that only goes forward.

    `on`: somebody asked. `missed`: records that found no room. `begun`: how often observing began. `began_s`: when it last did,
    by that clock.
    """

    __slots__ = ("_kept", "_kept_max", "began_s", "begun", "missed", "monotonic_s", "on")

    def __init__(self, monotonic_s: Callable[[], float], observations_max: int = OBSERVATIONS_MAX) -> None:
        self.on = False
        self.missed = 0
        self.begun = 0
        self.began_s = 0.0
        self.monotonic_s = monotonic_s
        self._kept: list[Observation] = []
        self._kept_max = observations_max

    def begin(self, began_s: float | None = None) -> None:
        """Observe from now on, with nothing kept of before. Connections that are open already are not followed.

        `began_s`: when observing began elsewhere, which times are counted from; None: now.
        """
        self.on = True
        self.begun += 1
        self.began_s = self.monotonic_s() if began_s is None else began_s
        self.drop()

    def drop(self) -> None:
        """Keep none of the records so far; whether any are made, and since when times count, stays."""
        self.missed = 0
        self._kept = []

    def end(self) -> None:
        """Observe no longer; what was kept can still be read."""
        self.on = False

    def now_s(self) -> float:
        """Seconds since observing began: the `at_s` of a record made now."""
        return round(self.monotonic_s() - self.began_s, 6)

    def record(self, observation: Observation) -> None:
        """Keep a record, if anybody asked and there is room."""
        if not self.on:
            return
        if len(self._kept) < self._kept_max:
            self._kept.append(observation)
        else:
            self.missed += 1

    @property
    def kept(self) -> int:
        """How many records there are; they are numbered from 1."""
        return len(self._kept)

    def page(self, after: int, limit: int) -> Sequence[Observation]:
        """The records behind number `after`, at most `limit`."""
        return list(islice(self._kept, after, after + limit))

    def played(self, played: Played) -> None:
        """Keep an effect of a fault."""
        self.record(
            FaultPlayed(
                at_s=self.now_s(),
                connection=played.connection,
                stream=played.stream,
                fault=played.number,
                name=played.name,
                stage="connection" if played.stage is None else played.stage.value,
            )
        )

    def judged(self, row: Row) -> None:
        """Keep a row of the journal as a verdict."""
        _, provider, _, status, reason, token, message_id, _, _, connection, stream, _ = row
        self.record(
            Verdict(
                at_s=self.now_s(),
                connection=connection,
                stream=stream,
                provider=provider,
                token=token.decode("latin-1"),
                status=status,
                reason=reason,
                message_id=message_id.decode("latin-1"),
            )
        )
