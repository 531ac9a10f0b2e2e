"""How fast the simulator could have been: its ceiling, measured on the same machine just before the run.

A sender sends it some tens of thousands of notifications, and the ceiling is how many it answers in a second of its own
CPU time: what it can do with a core of its own, whatever else the machine has to do meanwhile.
"""

from typing import NamedTuple

from loadtest.bench.senders import run_module
from loadtest.bench.servers import SIMULATOR, Server
from loadtest.bench.task import SendTask
from loadtest.control_client import ControlClient
from loadtest.rig_process import RigProcess
from simulator.devices.fates import Provider

# Of each provider. Their sender takes less time than the simulator, whose CPU time is told in hundredths of a second.
NOTIFICATIONS = {Provider.APNS: 80_000, Provider.FCM: 40_000}
# The sender of each provider: module, and what to call it.
_SENDERS = {
    Provider.APNS: ("ruler_sender", "a bare sender"),
    Provider.FCM: ("reference_sender", "the reference sender"),
}
_SEED = 0xCE111  # its ledger is forgotten before the run begins
_CONNECTIONS = 4


class Ceiling(NamedTuple):
    """`per_s`: notifications a second, None when it is not known. `how`: how it is, "" when not."""

    per_s: float | None
    how: str


UNKNOWN = Ceiling(None, "")


def ceiling_wanted(per_s: float | None, rig: RigProcess | None, shares: dict[Provider, float]) -> Ceiling:
    """`per_s`: as given; None to measure it, where the simulator is our own (`rig`); 0 not to. Raises LoadTestError."""
    if per_s:
        return Ceiling(per_s, "given with --ceiling")
    return measure_ceiling(rig, shares) if per_s is None and rig is not None else UNKNOWN


def measure_ceiling(rig: RigProcess, shares: dict[Provider, float]) -> Ceiling:
    """Measure it with a simulator of our own. `shares`: of the notifications, by provider. Raises LoadTestError."""
    running = rig.running
    control = ControlClient(running.control_url)
    server = Server(SIMULATOR, running.url, lambda: rig.figures, control)
    cpu_s_each = 0.0
    for provider, share in shares.items():
        count = NOTIFICATIONS[provider]
        task = SendTask(
            url=running.url,
            ca_file=running.ca_file,
            key_file=running.key_file,
            key_id=running.key_id,
            team_id=running.team_id,
            topic=running.topic,
            population_seed=_SEED,
            count=count,
            connections=_CONNECTIONS,
            service_account_file=running.service_account_file if provider is Provider.FCM else None,
        )
        run = run_module(_SENDERS[provider][0], task, server, "the ceiling")
        cpu_s = run.cpu_s["server"]
        if cpu_s is None:
            return UNKNOWN  # no /proc on this system
        cpu_s_each += share * cpu_s / count
    control.reset()
    if not cpu_s_each:
        return UNKNOWN
    sent = " and ".join(
        f"{NOTIFICATIONS[provider]:,} notifications of {provider.value} by {_SENDERS[provider][1]}"
        for provider in shares
    )
    return Ceiling(
        round(1 / cpu_s_each, 1),
        f"measured before the run with {sent}, in a second of the simulator's CPU time",
    )
