"""One load test from start to report: a simulator or a provider named, Locust against it, and what both sides counted."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from loadtest.ceiling import Ceiling, ceiling_wanted
from loadtest.control_client import ControlClient
from loadtest.control_group import Control, control_of
from loadtest.errors import ControlPlaneError
from loadtest.fault_watch import FaultWatch
from loadtest.load_outcome import LoadOutcome
from loadtest.load_plan import LoadPlan
from loadtest.load_population import outside_ledger
from loadtest.load_report import LoadReport, figures_of_ledger, make_report
from loadtest.load_results import histograms_of, run_record, series_of
from loadtest.process_figures import ProcessFigures
from loadtest.profiles import Profile
from loadtest.report.results_directory import Results
from loadtest.report.run_record import FaultBand, Limit
from loadtest.rig_process import WITHOUT_LIMITS, RigProcess
from loadtest.run_origin import origin_of
from simulator.devices.draws import Devices
from simulator.devices.fates import Provider

DELIVERY_TIMEOUT_S = 60.0  # for messages to topics, which FCM accepts before it delivers them
DELIVERY_POLL_S = 0.1
_FCM_PROJECT = "fcm_project"  # the rate that limits a whole run; the others limit single devices and topics


@dataclass(frozen=True, slots=True)
class Target:
    """Where the load goes. `environment`: variables for Locust. `rig`: a simulator of our own, or None, with its `limits`."""

    endpoint: str
    control: Control | None
    environment: dict[str, str]
    rig: RigProcess | None
    limits: str | None = None

    def ceiling(self, wanted: float | None, shares: dict[Provider, float]) -> Ceiling:
        """What the simulator can answer, see `ceiling_wanted`."""
        return ceiling_wanted(wanted, self.rig, shares)


@dataclass(frozen=True, slots=True)
class Measured:
    """One load test: its report, and the same with figures over time and histograms."""

    report: LoadReport
    results: Results


@contextlib.contextmanager
def target(endpoint: str | None, control_urls: Sequence[str], control_token: str | None) -> Iterator[Target]:
    """The provider named, or a simulator of our own for as long as the test takes. Raises LoadTestError."""
    if endpoint is not None:
        yield Target(endpoint, control_of(control_urls, control_token), {}, None)
        return
    # Ctrl-C ends the load; the simulator is asked for the ledger after that.
    with RigProcess(WITHOUT_LIMITS, own_session=True) as rig:
        running = rig.running
        environment = {
            "APNS_KEY_FILE": running.key_file,
            "APNS_KEY_ID": running.key_id,
            "APNS_TEAM_ID": running.team_id,
            "GOOGLE_APPLICATION_CREDENTIALS": running.service_account_file,
            "SSL_CERT_FILE": running.ca_file,
            "PUSHRIG_ENVIRONMENT": running.environment,
        }
        yield Target(running.url, ControlClient(running.control_url), environment, rig, limits="off")


def measure(
    target: Target,
    plan: LoadPlan,
    population: Devices,
    start_index: int,
    arguments: list[str],
    *,
    profile: Profile | None,
    ceiling: Ceiling,
    name: str,
    quiet: bool,
) -> Measured:
    """Run Locust with `arguments`, and put the figures of both sides together. `name`: of the run. Raises LoadTestError."""
    from loadtest.load_screen import progress_bar
    from loadtest.locust_process import run_locust

    control, rig = target.control, target.rig
    answered_before = 0
    faults: FaultWatch | None = None
    if control is not None:
        control.declare(population.seed, plan.devices, start_index)
        if rig is None:
            control.start_round()  # what was sent to these devices before is no part of this test
            faults = FaultWatch(control, time.time)
            faults.look()
        answered_before = control.stats().counters.notifications
    limits = _limits(target)
    simulator_before = ProcessFigures(None, None) if rig is None else rig.figures
    with progress_bar("Sending", plan.devices, shown=control is not None and not quiet) as advance:
        show = _progress(control, answered_before, advance) if not quiet else lambda: None

        def on_wait() -> None:
            show()
            if faults is not None:
                with contextlib.suppress(ControlPlaneError):  # asked again soon
                    faults.look()

        outcome, load_figures = run_locust([*arguments, "--host", target.endpoint], target.environment, on_wait)
    simulator = ProcessFigures(None, None) if rig is None else rig.figures
    ledger = None
    if control is not None:
        ledger = figures_of_ledger(control.ledger(population.seed), population.seed)
        deadline_s = time.monotonic() + (DELIVERY_TIMEOUT_S if plan.delivered_later else 0.0)
        while ledger is not None and ledger.accepted_once + ledger.accepted_more < outcome.tally.accepted:
            if time.monotonic() >= deadline_s:
                break
            time.sleep(DELIVERY_POLL_S)
            ledger = figures_of_ledger(control.ledger(population.seed), population.seed)
    report = make_report(
        outcome,
        plan=plan,
        fates=population.fates,
        outside_ledger=outside_ledger(population, start_index),
        limits=target.limits,
        ceiling=ceiling,
        ledger=ledger,
        simulator=simulator,
        simulator_cpu_s=simulator.cpu_since_s(simulator_before),
        load=load_figures,
    )
    bands = [] if faults is None else faults.bands(outcome.tally.started_at_s)
    return Measured(report, _results(report, outcome, profile, name, limits, bands))


def _results(
    report: LoadReport,
    outcome: LoadOutcome,
    profile: Profile | None,
    name: str,
    limits: list[Limit],
    faults: list[FaultBand],
) -> Results:
    origin = origin_of(name, outcome.tally.started_at_s or time.time())
    run = run_record(report, origin, limits=limits, faults=faults)
    return Results(run, series_of(outcome.recording, profile), histograms_of(outcome.recording))


def _limits(target: Target) -> list[Limit]:
    if target.limits is not None:
        return [Limit(name="rates of the providers", value=target.limits)]
    if target.control is None:
        return []
    return [
        Limit(
            name=name,
            value=f"{rate.count:,} in {rate.per_s:g} s",
            per_s=rate.count / rate.per_s if name == _FCM_PROJECT else None,
        )
        for name, rate in target.control.rates().items()
        if rate.count is not None and rate.per_s
    ]


def _progress(control: Control | None, answered_before: int, advance: Callable[[int], None]) -> Callable[[], None]:
    def ask() -> None:
        if control is not None and sys.stderr.isatty():
            with contextlib.suppress(ControlPlaneError):  # a bar that stands still for a moment
                advance(control.stats().counters.notifications - answered_before)

    return ask
