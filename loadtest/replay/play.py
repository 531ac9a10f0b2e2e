"""Plays one scenario over one sender: a simulator, the sender's runs, and all that grading needs. A shell."""

import asyncio
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from loadtest.control_client import ControlClient
from loadtest.redirection.client_variables import client_variables
from loadtest.replay.devices import Device, devices_of, write_devices, write_tokens
from loadtest.replay.history import history_of
from loadtest.replay.observed import Closed, Observation, Opened, read_observations
from loadtest.replay.plain_text import plain
from loadtest.replay.program import run_sender
from loadtest.replay.results import RESULTS_BYTES_MAX, Results, ResultsError, read_results
from loadtest.replay.rows import Ending, Played
from loadtest.replay.scenario import Scenario
from loadtest.rig_process import RigProcess

PAGE = 10_000
SETTLING_S = 2.0
"""So long the simulator may take to notice that the connections of a sender that has ended are gone."""
SETTLING_STEP_S = 0.05


def play(
    scenario: Scenario,
    which: str,
    provider: str,
    command: Sequence[str],
    time_limit_s: float | None = None,
    *,
    show: bool = False,
    frame_log: Path | None = None,
) -> Played:
    """Run `command` as often as the scenario asks.

    `which`: its name or file. `time_limit_s`: in place of what it says. `show`: the sender's output goes to stderr too.
    `frame_log`: where the simulator writes down every frame.

    Raises LoadTestError when simulator or control plane fail, CannotRunError, `ValueError` for devices that cannot be minted
    and for phases that could not be as the scenario says.
    """
    devices = devices_of(scenario, provider)
    limit_s = scenario.time_limit_s if time_limit_s is None else time_limit_s
    # Nothing is named after what a scenario or a sender says: a name is no path.
    with TemporaryDirectory(prefix="pushrig-replay-", ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        options = [f"--scenario={which}", *(() if frame_log is None else (f"--frame-log={frame_log}",))]
        with RigProcess(options, state_dir=work / "simulator", own_session=True) as rig:
            control = ControlClient(rig.running.control_url)
            variables = client_variables(Path(rig.running.state_dir))
            variables |= _variables(scenario, provider, work, list(devices.values()), limit_s)
            began_s: list[float] = []
            ended_s: list[float] = []
            endings: list[Ending] = []
            results: list[Results | None] = []
            problems: list[str] = []
            observations: list[Observation] = []
            for run in range(1, scenario.runs + 1):
                if run > 1:
                    control.begin_run()
                began_s.append(control.observing().now_s)
                written = work / f"results-{run}"
                of_run = {"PUSHRIG_RUN": str(run), "PUSHRIG_RESULTS": str(written)}
                sending = run_sender(command, os.environ, variables | of_run, rig.running.port, limit_s, show=show)
                try:
                    endings.append(asyncio.run(sending))
                except asyncio.CancelledError:  # by a signal that ends us
                    raise KeyboardInterrupt from None
                ended_s.append(control.observing().now_s)
                observations = _observed(control)
                try:
                    results.append(_results(written, provider))
                except ResultsError as error:
                    results.append(None)
                    problems.append(f"run {run}: {plain(str(error))}")
            missed = control.observing().missed
            unplayed = control.scenario_problem()
    if unplayed:
        raise ValueError(f"the simulator could not play it: {unplayed}")
    return Played(
        scenario=msgspec.structs.replace(scenario, time_limit_s=limit_s),
        provider=provider,
        devices=devices,
        history=history_of(observations, began_s, ended_s),
        endings=endings,
        results=results,
        results_problem="; ".join(problems) or None,
        missed=missed,
    )


def _variables(
    scenario: Scenario, provider: str, work: Path, devices: Sequence[Device], time_limit_s: float
) -> dict[str, str]:
    """What the sender gets besides what `pushrig env` prints; the files are written."""
    tokens, table, state = work / "tokens.txt", work / "devices.csv", work / "state"
    state.mkdir()
    write_tokens(tokens, devices)
    write_devices(table, devices)
    variables = {
        "PUSHRIG_SCENARIO": scenario.name,
        "PUSHRIG_PROVIDER": provider,
        "PUSHRIG_TOPIC": scenario.population.topic,
        "PUSHRIG_TOKENS": str(tokens),
        "PUSHRIG_DEVICES": str(table),
        "PUSHRIG_STATE": str(state),
        "PUSHRIG_TIME_LIMIT_S": f"{time_limit_s:g}",
    }
    if scenario.expect.hung_s_max is not None:
        variables["PUSHRIG_PATIENCE_S"] = f"{scenario.expect.hung_s_max:g}"
    return variables


def _observed(control: ControlClient) -> list[Observation]:
    """All observations, once the sender's connections are known to be gone, or too long after."""
    observations: list[Observation] = []
    overdue_s = time.monotonic() + SETTLING_S
    while True:
        while page := read_observations(control.observations(len(observations), PAGE)):
            observations += page
        opened = {each.connection for each in observations if isinstance(each, Opened)}
        opened -= {each.connection for each in observations if isinstance(each, Closed)}
        if not opened or time.monotonic() > overdue_s:
            return observations
        time.sleep(SETTLING_STEP_S)


def _results(path: Path, provider: str) -> Results | None:
    """What the sender wrote; None: nothing. Raises ResultsError."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ResultsError("PUSHRIG_RESULTS is no file")
        if found.st_size > RESULTS_BYTES_MAX:
            raise ResultsError(f"the results are larger than {RESULTS_BYTES_MAX:,} bytes")
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResultsError(f"the results cannot be read: {error.strerror}") from None
    return read_results(content, provider) if content.strip() else None
