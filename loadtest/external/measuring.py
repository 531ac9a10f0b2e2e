"""Runs external senders against a simulator of our own, and measures them from its side. A shell."""

import os
import resource
import time
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit

from loadtest.ceiling import Ceiling, ceiling_wanted
from loadtest.ending_signals import signals_interrupt
from loadtest.errors import LoadTestError
from loadtest.external.command_text import filled, names_in
from loadtest.external.control_view import ControlView
from loadtest.external.figures import SendersReport, bottleneck, failures_of, sender_figures
from loadtest.external.handout import REPLAYED, TOKENS, shares_of, write_files
from loadtest.external.requests_seen import percentiles_ms
from loadtest.external.results import results_of
from loadtest.external.sender_group import Sender, SenderGroup
from loadtest.external.senders_seen import SendersSeen
from loadtest.external.watching import STEP_S, Progress, Watched
from loadtest.load_population import outside_ledger
from loadtest.load_report import LedgerFigures, figures_of_ledger
from loadtest.redirection.client_variables import client_variables
from loadtest.replay.observed import read_observations
from loadtest.report.results_directory import Results
from loadtest.rig_process import WITHOUT_LIMITS, RigProcess, RunningRig
from loadtest.run_origin import origin_of
from simulator.devices.draws import Devices
from simulator.devices.fates import Provider

SENDERS_MAX = 64
PAGE = 10_000


class HandoutError(LoadTestError):
    """The files for the senders cannot be written."""


@dataclass(frozen=True, slots=True)
class SendersPlan:
    """`commands`: one for each sender, as typed and in words; they share the devices from `start_index` on, in their order.

    `provider`: apns, fcm or both. `shares`: of the devices, by provider. `ceiling_per_s`: of the simulator, None to measure it
    before the run, 0.0 to do without. `time_limit_s`: what each sender may take. `observe`: every request is followed,
    which the simulator takes time and memory for. `show`: what the senders write goes to stderr. `name`: of the run.
    """

    commands: tuple[tuple[str, tuple[str, ...]], ...]
    population: Devices
    start_index: int
    provider: str
    shares: dict[Provider, float]
    ceiling_per_s: float | None
    time_limit_s: float
    observe: bool
    show: bool
    name: str

    @property
    def shares_of_senders(self) -> list[range]:
        """Which devices each sender has."""
        return shares_of(self.start_index, self.population.count, len(self.commands))


class MeasuredSenders(NamedTuple):
    """A run of external senders: its report, and the same as a results directory has it."""

    report: SendersReport
    results: Results


def measure(plan: SendersPlan, progress: Progress = lambda _count: None) -> MeasuredSenders:
    """Run the senders. `progress`: told how many notifications were answered.

    Raises LoadTestError or OSError when simulator, control plane or files fail, CannotRunError, KeyboardInterrupt at a signal
    too.
    """
    with signals_interrupt(), TemporaryDirectory(prefix="pushrig-load-", ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        with RigProcess(WITHOUT_LIMITS, state_dir=work / "simulator", own_session=True) as rig:
            senders = _senders(plan, rig.running, work)
            ceiling = ceiling_wanted(plan.ceiling_per_s, rig, plan.shares)
            view = ControlView(rig.running.control_url)
            view.declare(plan.population.seed, plan.population.count - plan.start_index, plan.start_index)
            if plan.observe:
                view.observe()
            return _measured(plan, rig, view, senders, ceiling, progress)


def _measured(
    plan: SendersPlan,
    rig: RigProcess,
    view: ControlView,
    senders: list[Sender],
    ceiling: Ceiling,
    progress: Progress,
) -> MeasuredSenders:
    watched, began_at_s = Watched(view, sampled=not plan.observe), time.time()
    simulator_before, senders_cpu_before_s = rig.figures, _children_cpu_s()
    with SenderGroup(senders, os.environ, rig.running.port, plan.time_limit_s, show=plan.show) as group:
        counted = watched.watch(group, progress)
    endings = group.endings()
    senders_cpu_s, simulator = _children_cpu_s() - senders_cpu_before_s, rig.figures
    elapsed_s = watched.elapsed_s()
    rate_per_s = counted.notifications / elapsed_s if elapsed_s else 0.0
    ledger, outside = _ledger(view, plan.population.seed), outside_ledger(plan.population, plan.start_index)
    seen, requests = "samples, in whole milliseconds", None
    if plan.observe:
        requests = _observed(plan, view)
        seen = "part of the requests" if view.observing().missed else "every request"
    gap_us, answer_us = (watched.gap_us, {}) if requests is None else (requests.all.gap_us, requests.all.answer_us)
    figures = [
        sender_figures(command, sender.devices, ending, own, each)
        for (command, _), sender, ending, own, each in zip(
            plan.commands,
            senders,
            endings,
            _ledger_of_each(plan, view, ledger),
            repeat(None) if requests is None else requests.each(),
            strict=False,
        )
    ]
    cpu_s = simulator.cpu_since_s(simulator_before)
    report = SendersReport(
        provider=plan.provider,
        devices=plan.population.count - plan.start_index,
        seed=plan.population.seed,
        endpoint=rig.running.url,
        senders=figures,
        ledger=ledger,
        notifications=counted.notifications,
        repeats=max(0, counted.notifications - ledger.answered - outside),
        unanswered=max(0, ledger.never - outside),
        accepted=counted.accepted,
        rejected=dict(sorted(counted.rejected_by_reason.items(), key=lambda item: -item[1])),
        elapsed_s=round(elapsed_s, 3),
        rate_per_s=round(rate_per_s, 1),
        busiest_per_s=round(max(rate_per_s, watched.over_time.busiest_per_s(STEP_S)), 1),
        seen=seen,
        gap_ms=percentiles_ms(gap_us),
        answer_ms=percentiles_ms(answer_us),
        connections_opened=counted.connections_total,
        handshakes_failed=counted.handshakes_failed,
        protocol_errors=counted.protocol_errors,
        limits_reached=counted.limits_reached,
        connections=None if requests is None else requests.all.connections(),
        over_time=watched.over_time.rows,
        cpu_s={"senders": round(senders_cpu_s, 2), "simulator": None if cpu_s is None else round(cpu_s, 2)},
        peak_rss_mb={"simulator": simulator.peak_rss_mb},
        bottleneck=bottleneck(
            elapsed_s, [each.duration_s for each in endings], senders_cpu_s, cpu_s, os.cpu_count() or 1
        ),
        ceiling_per_s=ceiling.per_s,
        ceiling_from=ceiling.how,
        limits="off",
        failures=failures_of(
            figures,
            ledger,
            counted,
            plan.population.fates,
            outside,
            plan.time_limit_s,
        ),
    )
    return MeasuredSenders(report, results_of(report, origin_of(plan.name, began_at_s), gap_us, answer_us))


def _senders(plan: SendersPlan, running: RunningRig, work: Path) -> list[Sender]:
    """The senders, with their files written."""
    variables = client_variables(Path(running.state_dir))
    address = urlsplit(running.url)
    shares = plan.shares_of_senders
    token = _provider_token(running) if any("provider_token" in names_in(words) for _, words in plan.commands) else ""
    senders = []
    for number, ((_, words), share) in enumerate(zip(plan.commands, shares, strict=True), 1):
        folder = work / f"sender-{number}"
        try:
            (folder / "state").mkdir(parents=True)
            files = write_files(folder, plan.population, share, running.url, names_in(words))
        except OSError as error:
            raise HandoutError(f"the files for the senders cannot be written: {error}") from None
        values = files | {
            "endpoint": running.url,
            "host": address.hostname or "",
            "port": str(running.port),
            "topic": plan.population.topic,
            "count": str(len(share)),
            "number": str(number),
            "provider_token": token,
        }
        own = {
            "PUSHRIG_PROVIDER": plan.provider,
            "PUSHRIG_TOPIC": plan.population.topic,
            "PUSHRIG_TOKENS": str(folder / TOKENS),
            "PUSHRIG_DEVICES": str(folder / REPLAYED),
            "PUSHRIG_STATE": str(folder / "state"),
            "PUSHRIG_RESULTS": str(folder / "results"),
            "PUSHRIG_RUN": "1",
            "PUSHRIG_TIME_LIMIT_S": f"{plan.time_limit_s:g}",
        }
        senders.append(Sender(filled(words, values), variables | own, len(share)))
    return senders


def _provider_token(running: RunningRig) -> str:
    from sender.apns.provider_token import ProviderTokenSource

    source = ProviderTokenSource.from_file(Path(running.key_file), running.key_id, running.team_id)
    return source.text(time.time()).decode().removeprefix("bearer ")


def _ledger(view: ControlView, seed: int) -> LedgerFigures:
    found = figures_of_ledger(view.ledger(seed), seed)
    assert found is not None, "the population was declared"
    return LedgerFigures.of(found)


def _ledger_of_each(plan: SendersPlan, view: ControlView, whole: LedgerFigures) -> list[LedgerFigures]:
    """What became of the devices of each sender: the ledger is asked about one range after the other."""
    if len(plan.commands) == 1:
        return [whole]
    found, seed = [], plan.population.seed
    for share in plan.shares_of_senders:
        view.declare(seed, len(share), share.start)
        found.append(_ledger(view, seed))
    view.declare(seed, plan.population.count - plan.start_index, plan.start_index)
    return found


def _observed(plan: SendersPlan, view: ControlView) -> SendersSeen:
    """All observations, page by page."""
    requests, known = SendersSeen(plan.population.seed, plan.shares_of_senders), 0
    while page := read_observations(view.observations(known, PAGE)):
        requests.take(page)
        known += len(page)
    return requests


def _children_cpu_s() -> float:
    """CPU seconds of all that we have started and that has ended; the simulator has not."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
