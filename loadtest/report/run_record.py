"""What a load test leaves behind: records that make up a results directory, as JSON. Pure.

    run.json         RunRecord: what was run, on what, and the figures of the whole run
    series.json      Series: the same over time, in a bounded number of intervals
    histograms.json  list of Histogram: latencies, whole

All instants `_s` count seconds from the run's first scheduled arrival, all latencies `_ms` milliseconds. Readers pass over
fields that they do not know, and fields added later have defaults, so that older directories stay readable.
"""

import msgspec

from loadtest.report.ledger_record import Ledger
from loadtest.report.quantities import Count, Length, Number, Share
from loadtest.report.sender_record import SendersRecord

FORMAT = 1
"""Of the directory as a whole; raised when a reader of before would read it wrong."""
INTERVALS_MAX = 3_600
"""Of a series: a longer run has longer intervals."""
POINTS_MAX = 4_000
"""Of a histogram."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where the load was made. `system`: name and architecture, such as `Linux x86_64`."""

    system: str
    cores: Count
    python: str
    memory_mb: Count | None = None


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that was in force, of the provider or of the load itself. `per_s`: drawn where it limits the rate of a run."""

    name: str
    value: str
    per_s: Number | None = None


class FaultBand(msgspec.Struct, frozen=True, kw_only=True):
    """A fault of the simulator, from when to when. `to_s`: None when it lasted to the end."""

    fault: str
    from_s: Number
    to_s: Number | None = None


class PartRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What one workload, or one campaign or step of it, has sent; as in `RunRecord`. `notifications`: with a final answer."""

    notifications: Count
    sent: Count
    accepted: Count
    rejected: dict[str, Count]
    given_up: dict[str, Count]
    retried: Count
    rate_per_s: Number
    latency_ms: dict[str, Number]


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Counts are of notifications unless they say otherwise.

    `began_at`: ISO 8601, UTC. `profile`: as given, such as `ramp:from=100,to=5000`. `arrivals`: `constant` or `poisson` when
    they were scheduled (open loop), `closed` when each waited for an answer before it. `scheduled`: arrivals that came due.
    `sent`: transmissions, so repeats too. `rejected`, `given_up`: by reason. `unfinished`: devices without a final answer,
    those given up included. `rate_per_s`: final answers over `elapsed_s`.

    `latency_ms`: `p50`, `p90`, `p99`, `p999`, `max` from the scheduled instant to the answer; from sending in a closed loop.
    `latency_from_sent_ms`: the same from sending. `ledger`: None where no control plane was asked.

    `bottleneck`: `simulator`, `load generator`, `rate` (the one asked for) or `neither`; of external senders also `sender` or
    `machine`. `ceiling_per_s`: what the simulator could have answered, None where unknown; `ceiling_from` says how that is
    known. `behind`: what to say of a load generator that could not keep its schedule, None when it did; `behind_ms_max`: how
    far it was behind at worst.
    `cpu_s`, `peak_rss_mb`: by side, `load_generator` or `senders`, and `simulator`. `failures`: what did not come out as it
    must. `scheduled_per_s`, `reached_per_s`: the rate by the schedule, and as it was handed to connections, `reached_share` the
    latter as a share of the former; None in a closed loop. `senders`: of a run of external senders; latencies are unknown then,
    `given_up`, `users` and `batch_size` too (0). `workloads`: names of those that sent, none for ordinary users; `parts`: what
    each sent. `further_accepted`, `further_rejected`: of the notifications, those to devices that had one before.
    """

    name: str
    command: list[str]
    began_at: str
    versions: dict[str, str]
    machine: Machine
    provider: str
    endpoint: str
    seed: int
    devices: Count
    users: Count
    batch_size: Count
    connections: Count
    profile: str
    arrivals: str
    scheduled: Count
    sent: Count
    accepted: Count
    rejected: dict[str, Count]
    given_up: dict[str, Count]
    retried: Count
    unfinished: Count
    elapsed_s: Number
    rate_per_s: Number
    latency_ms: dict[str, Number]
    latency_from_sent_ms: dict[str, Number]
    bottleneck: str
    format: int = FORMAT
    ledger: Ledger | None = None
    ceiling_per_s: Number | None = None
    ceiling_from: str = ""
    behind: str | None = None
    behind_ms_max: Number = 0.0
    scheduled_per_s: Number | None = None
    reached_per_s: Number | None = None
    reached_share: Number | None = None
    cpu_s: dict[str, Number | None] = {}
    peak_rss_mb: dict[str, Number | None] = {}
    limits: list[Limit] = []
    faults: list[FaultBand] = []
    failures: list[str] = []
    senders: SendersRecord | None = None
    workloads: list[str] = []
    parts: dict[str, PartRecord] = {}
    further_accepted: Count = 0
    further_rejected: Count = 0

    @property
    def open_loop(self) -> bool:
        """Arrivals were scheduled, whatever became of those before."""
        return self.arrivals != "closed"


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """The notifications of one interval: `scheduled`, `sent` by those instants, the others by the instant of their answer.

    `planned_per_s`: what the profile asked for on average, None in a closed loop. `latency_ms`: `p50`, `p90`, `p99`, `max` of
    what was scheduled in the interval, in a closed loop of what was answered in it; empty when nothing was. `behind_ms`: lag of
    the schedule at worst. `connections`: open at its end, None where nobody looked.
    """

    at_s: Number
    scheduled: Count
    sent: Count
    accepted: Count
    rejected: dict[str, Count] = {}
    given_up: dict[str, Count] = {}
    planned_per_s: Number | None = None
    latency_ms: dict[str, Number] = {}
    behind_ms: Number = 0.0
    connections: Count | None = None


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A run over time: `rows` in order, at most `INTERVALS_MAX`, each `interval_s` long; the last may be cut short."""

    interval_s: Length
    rows: list[Interval]


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Latencies as one distribution. `name`: `scheduled` or `sent`, the instant that they count from, or `batch`, from the
    scheduled instant of a batch to the last answer in it; with a provider when both took part: `scheduled apns`. Of external
    senders `gap` and `answer`, as `SendersRecord` has them.

    `points`: (share of notifications at or below, latency in ms), both ascending, at most `POINTS_MAX`, up to share 1.0.
    `hdr`: the whole HDR histogram in microseconds, in its compressed V2 form, base64; empty where there is none.
    """

    name: str
    count: Count
    mean_ms: Number
    max_ms: Number
    points: list[tuple[Share, Number]]
    hdr: str = ""
