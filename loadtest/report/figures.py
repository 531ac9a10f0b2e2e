"""The figures of a run by name: what conditions can ask for, what comparisons compare. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from loadtest.report.ledger_record import Ledger
from loadtest.report.run_record import RunRecord
from loadtest.report.sender_record import SendersRecord

REASON_PREFIX = "rejected."
"""`rejected.Unregistered`: rejections with that reason, 0 when there were none."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `value`: None where the run does not know it. `better`: None where neither direction is.

    `of_senders`: only runs of external senders have it.
    """

    name: str
    says: str
    better: Literal["more", "less"] | None
    value: Callable[[RunRecord], float | None]
    of_senders: bool = False


def _latency(name: str) -> Callable[[RunRecord], float | None]:
    return lambda run: run.latency_ms.get(name)


def _from_sent(name: str) -> Callable[[RunRecord], float | None]:
    return lambda run: run.latency_from_sent_ms.get(name)


def _ledger(count: Callable[[Ledger], int]) -> Callable[[RunRecord], float | None]:
    return lambda run: None if run.ledger is None else count(run.ledger)


def _cpu(side: str) -> Callable[[RunRecord], float | None]:
    return lambda run: run.cpu_s.get(side)


def _memory(side: str) -> Callable[[RunRecord], float | None]:
    return lambda run: run.peak_rss_mb.get(side)


def _unless_senders(value: Callable[[RunRecord], float]) -> Callable[[RunRecord], float | None]:
    """What external senders alone know of themselves."""
    return lambda run: value(run) if run.senders is None else None


def _of_senders(value: Callable[[SendersRecord], float | None]) -> Callable[[RunRecord], float | None]:
    return lambda run: None if run.senders is None else value(run.senders)


def _ceiling_share(run: RunRecord) -> float | None:
    share = run.rate_per_s / run.ceiling_per_s if run.ceiling_per_s else math.inf
    return share if math.isfinite(share) else None


def _connections(run: RunRecord) -> float | None:
    return None if run.senders is None else run.connections


def _rejected_share(run: RunRecord) -> float | None:
    settled = run.accepted + sum(run.rejected.values())
    return 1 - run.accepted / settled if settled else None


_BUSIEST = Figure(
    "busiest_per_s",
    "notifications in the busiest second",
    "more",
    _of_senders(lambda each: each.busiest_per_s),
    of_senders=True,
)
_SENDERS_FIGURES = (
    _BUSIEST,
    *(
        Figure(name, says, "less", value, of_senders=True)
        for name, says, value in (
            ("gap_p50_ms", "between requests of a connection", _of_senders(lambda each: each.gap_ms.get("p50"))),
            ("gap_p99_ms", "the same, 99 %", _of_senders(lambda each: each.gap_ms.get("p99"))),
            ("gap_max_ms", "the same, the longest", _of_senders(lambda each: each.gap_ms.get("max"))),
            ("answer_p50_ms", "answer time in the simulator", _of_senders(lambda each: each.answer_ms.get("p50"))),
            ("answer_p99_ms", "the same, 99 %", _of_senders(lambda each: each.answer_ms.get("p99"))),
            ("connections", "connections that were opened", _connections),
            ("handshakes_failed", "TLS handshakes that failed", _of_senders(lambda each: each.handshakes_failed)),
            ("senders_cpu_s", "CPU time of the senders", _cpu("senders")),
        )
    ),
)

FIGURES = (
    Figure("rate_per_s", "final answers a second", "more", lambda run: run.rate_per_s),
    Figure("p50_ms", "latency from the scheduled instant (closed loop: from sending)", "less", _latency("p50")),
    Figure("p90_ms", "the same, 90 %", "less", _latency("p90")),
    Figure("p99_ms", "the same, 99 %", "less", _latency("p99")),
    Figure("p999_ms", "the same, 99.9 %", "less", _latency("p999")),
    Figure("max_ms", "the same, the slowest", "less", _latency("max")),
    Figure("p50_from_sent_ms", "latency from sending", "less", _from_sent("p50")),
    Figure("p99_from_sent_ms", "the same, 99 %", "less", _from_sent("p99")),
    Figure("elapsed_s", "from the first arrival to the last answer", None, lambda run: run.elapsed_s),
    Figure("devices", "devices of the run", None, lambda run: run.devices),
    Figure("scheduled", "arrivals that came due", None, _unless_senders(lambda run: run.scheduled)),
    Figure("scheduled_per_s", "arrivals a second by the schedule", None, lambda run: run.scheduled_per_s),
    Figure("reached_per_s", "the same as they were handed to connections", "more", lambda run: run.reached_per_s),
    Figure("reached_share", "the latter as a share of the former", "more", lambda run: run.reached_share),
    Figure("sent", "transmissions, repeats too", None, lambda run: run.sent),
    Figure("accepted", "notifications accepted", None, lambda run: run.accepted),
    Figure("rejected", "notifications rejected for good", None, lambda run: sum(run.rejected.values())),
    Figure("rejected_share", "of all final answers, 0 to 1", None, _rejected_share),
    Figure(
        "given_up",
        "notifications given up after all retries",
        "less",
        _unless_senders(lambda run: sum(run.given_up.values())),
    ),
    Figure("retried", "repeats", "less", lambda run: run.retried),
    Figure("lost", "devices without a final answer", "less", lambda run: run.unfinished),
    Figure("never", "by the ledger: devices that the simulator never saw", "less", _ledger(lambda each: each.never)),
    Figure(
        "repeated", "by the ledger: devices notified more than once", "less", _ledger(lambda each: each.accepted_more)
    ),
    Figure(
        "behind_ms",
        "lag of the load generator behind its schedule, at worst",
        "less",
        _unless_senders(lambda run: run.behind_ms_max),
    ),
    Figure("ceiling_per_s", "what the simulator could have answered", None, lambda run: run.ceiling_per_s),
    Figure("ceiling_share", "the rate as a share of that", None, _ceiling_share),
    Figure("load_cpu_s", "CPU time of the load generator", "less", _cpu("load_generator")),
    Figure("simulator_cpu_s", "CPU time of the simulator", "less", _cpu("simulator")),
    Figure("load_memory_mb", "memory of the load generator at its peak", "less", _memory("load_generator")),
    Figure("simulator_memory_mb", "memory of the simulator at its peak", "less", _memory("simulator")),
    *_SENDERS_FIGURES,
    Figure("failures", "things that did not come out as they must", "less", lambda run: len(run.failures)),
)
FIGURE_BY_NAME = {figure.name: figure for figure in FIGURES}


def is_figure(name: str) -> bool:
    """There is a figure of that name."""
    return name in FIGURE_BY_NAME or (name.startswith(REASON_PREFIX) and len(name) > len(REASON_PREFIX))


def value_of(name: str, run: RunRecord) -> float | None:
    """The figure `name` of `run`, None where the run does not know it. Raises KeyError for a name that `is_figure` refuses."""
    if name not in FIGURE_BY_NAME and is_figure(name):
        return run.rejected.get(name.removeprefix(REASON_PREFIX), 0)
    return FIGURE_BY_NAME[name].value(run)


def unknown_of(run: RunRecord) -> list[str]:
    """The figures, by name, that a run of this kind can have, and this one does not know."""
    return [
        figure.name
        for figure in FIGURES
        if figure.value(run) is None and (run.senders is not None or not figure.of_senders)
    ]
