"""The main job in one go: devices, a campaign, pruning, a second campaign that meets no dead token, and the proof.

A simulator runs in a process of its own; the sender in this one. What happened is not taken from the sender's word: the
simulator's ledger says of every single device what it got.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from loadtest.control_client import ControlClient
from loadtest.load_report import LedgerFigures
from loadtest.population import rows
from loadtest.process_figures import figures_of
from loadtest.rig_process import WITHOUT_LIMITS, RigProcess, RunningRig
from sender.apns.messages import ApnsOptions
from sender.campaign import CampaignOptions, run_campaign
from sender.campaign import Progress as CampaignProgress
from sender.campaign_parts import ApnsPart, FcmPart
from sender.campaign_report import CampaignReport
from sender.pool import Endpoint, PoolOptions
from sender.store.device_store import DeviceStore
from sender.store.records import Invalidated
from sender.store.registration import APNS
from simulator.devices.draws import Devices, parse_fates
from simulator.devices.fates import Fate, Provider
from simulator.devices.mixed_population import MixedPopulation
from simulator.devices.registration_space import unseal_registration
from simulator.devices.token_space import unseal

# 3 % of either provider's devices are dead: in four ways for APNs, in two for FCM.
FATES = ("unregistered=0.02", "wrong-topic=0.005", "expired=0.003", "wrong-environment=0.002", "stale=0.01")
IOS_SHARE = 0.2  # of FCM's registrations: they sit on an APNs token, and APNs judges

PAYLOADS = (
    b"""{
  "aps": {"alert": {"title": "Hello {{name|friend}}", "body": "20% off until Friday, also in {{country}}"},
          "sound": "default", "badge": 1},
  "campaign": "black-friday"
}""",
    b"""{
  "aps": {"alert": {"title": "Last call, {{name|friend}}", "body": "The sale ends tonight"}, "sound": "default"},
  "campaign": "last-call"
}""",
)


MESSAGES = (
    b"""{
  "notification": {"title": "Hello {{name|friend}}", "body": "20% off until Friday, also in {{country}}"},
  "data": {"campaign": "black-friday"}
}""",
    b"""{
  "notification": {"title": "Last call, {{name|friend}}", "body": "The sale ends tonight"},
  "data": {"campaign": "last-call"}
}""",
)


class ProviderFigures(msgspec.Struct, frozen=True):
    """What the first campaign did over one provider."""

    sent: int
    accepted: int
    rejected: dict[str, int]
    latency_ms: dict[str, float]


class SecondCampaign(msgspec.Struct, frozen=True):
    """The campaign after the pruning."""

    sent: int
    rejected: int
    rate_per_s: float
    ledger: LedgerFigures


class DemoReport(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one demo; those without a prefix are of the first campaign.

    `providers`: by provider. `elapsed_s`, `rate_per_s`: from the first claim in the store to the last result stored. `dead`:
    devices minted with a fate other than active. `wrongly_invalidated`: invalidated although active. `peak_rss_mb`: the
    larger of the two processes, 10**6 bytes. `limits`: the providers' rates in the simulator. `failures`: what did not come
    out as it must; empty when all is well.
    """

    devices: int
    dead: int
    minting_s: float
    sent: int
    accepted: int
    rejected: dict[str, int]
    retried: int
    providers: dict[str, ProviderFigures]
    elapsed_s: float
    rate_per_s: float
    latency_ms: dict[str, float]
    invalidated: int
    wrongly_invalidated: int
    ledger: LedgerFigures
    second_campaign: SecondCampaign
    cpu_s: dict[str, float | None]
    bottleneck: str
    peak_rss_mb: float | None
    peak_rss_mb_by_process: dict[str, float | None]
    limits: str
    failures: list[str]


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`devices`: how many. `seed`: of the population. `folder`: for the device store, removed by the caller."""

    devices: int
    seed: int
    folder: Path
    connections: int = 4


class Stage:
    """What the demo reports while it works; each method may be left as it is."""

    def begin(self, title: str, total: int) -> None:
        """A part of the work starts: `total` devices."""

    def advance(self, done: int) -> None:
        """So many of them are done."""


def run_demo(options: DemoOptions, stage: Stage, on_rig: Callable[[RunningRig], None] = lambda rig: None) -> DemoReport:
    """Mint, import, send, prune, send again. Raises LoadTestError or SenderError when a part cannot start."""
    with RigProcess(WITHOUT_LIMITS) as rig:
        on_rig(rig.running)
        control = ControlClient(rig.running.control_url)
        population = MixedPopulation(
            options.seed,
            options.devices,
            rig.running.topic,
            fates=parse_fates(FATES, tuple(Provider)),
            ios_share=IOS_SHARE,
        )
        control.declare(population.seed, population.count)
        store_file = options.folder / "devices.db"
        minting_s = _mint(population, store_file, stage)

        cpu_before = _cpu(rig)
        first = _campaign(rig.running, options, store_file, 0, stage)
        cpu_after = _cpu(rig)
        ledger = _ledger(control, population)
        control.start_round()
        second = _campaign(rig.running, options, store_file, 1, stage)
        second_ledger = _ledger(control, population)

        dead, wrongly = _check_store(population, store_file)
        cpu_s = {
            name: None if after is None or before is None else round(after - before, 2)
            for (name, after), before in zip(cpu_after.items(), cpu_before.values(), strict=True)
        }
        rss_mb = {"simulator": rig.figures.peak_rss_mb, "sender": figures_of(os.getpid()).peak_rss_mb}
        report = DemoReport(
            devices=options.devices,
            dead=dead,
            minting_s=round(minting_s, 2),
            sent=first.sent,
            accepted=first.accepted,
            rejected=first.rejected,
            retried=first.retried,
            providers={
                name: ProviderFigures(each.sent, each.accepted, each.rejected, each.latency_ms)
                for name, each in first.providers.items()
            },
            elapsed_s=first.elapsed_s,
            rate_per_s=first.rate_per_s,
            latency_ms=first.latency_ms,
            invalidated=first.invalidated,
            wrongly_invalidated=wrongly,
            ledger=ledger,
            second_campaign=SecondCampaign(
                second.sent, sum(second.rejected.values()), second.rate_per_s, second_ledger
            ),
            cpu_s=cpu_s,
            bottleneck=bottleneck(cpu_s, first.elapsed_s),
            peak_rss_mb=max((value for value in rss_mb.values() if value is not None), default=None),
            peak_rss_mb_by_process=rss_mb,
            limits="off",
            failures=[],
        )
        return msgspec.structs.replace(report, failures=failures(report, first, second))


def bottleneck(cpu_s: dict[str, float | None], elapsed_s: float) -> str:
    """Which process had no time to spare: `simulator`, `sender`, or `neither` (the machine, the store, waiting)."""
    shares = {name: spent / elapsed_s for name, spent in cpu_s.items() if spent is not None and elapsed_s > 0}
    if not shares:
        return "unknown"
    busiest = max(shares, key=lambda name: shares[name])
    return busiest if shares[busiest] >= 0.85 else "neither"


def failures(report: DemoReport, first: CampaignReport, second: CampaignReport) -> list[str]:
    """What a run must show and did not, in words; none for a good run."""
    active = report.devices - report.dead
    ledger, again = report.ledger, report.second_campaign.ledger
    checks = (
        (not first.remaining and not second.remaining, "notifications stayed due"),
        (ledger.accepted_once == active, f"{ledger.accepted_once:,} of {active:,} active devices were accepted once"),
        (ledger.accepted_more == 0, f"{ledger.accepted_more:,} devices got the notification more than once"),
        (ledger.never == 0, f"{ledger.never:,} devices were never asked for"),
        (report.invalidated == report.dead, f"{report.invalidated:,} of {report.dead:,} dead tokens were invalidated"),
        (report.wrongly_invalidated == 0, f"{report.wrongly_invalidated:,} good tokens were invalidated"),
        (
            report.second_campaign.rejected == 0,
            f"the second campaign met {report.second_campaign.rejected:,} dead tokens",
        ),
        (
            report.second_campaign.sent == active,
            f"the second campaign sent {report.second_campaign.sent:,} of {active:,}",
        ),
        (
            again.accepted_once == active,
            f"{again.accepted_once:,} of {active:,} devices were accepted in the second round",
        ),
    )
    return [what for held, what in checks if not held]


def _mint(population: Devices, store_file: Path, stage: Stage) -> float:
    stage.begin("minting devices and storing them", population.count)
    started_at_s = time.perf_counter()
    with DeviceStore.open(store_file, create=True) as store:
        store.import_rows(rows(population), progress=stage.advance)
    return time.perf_counter() - started_at_s


def _campaign(rig: RunningRig, options: DemoOptions, store_file: Path, number: int, stage: Stage) -> CampaignReport:
    endpoint = Endpoint.parse(rig.url)
    stage.begin(("first campaign", "second campaign")[number], options.devices)

    def show(progress: CampaignProgress) -> None:
        stage.advance(progress.done)

    return run_campaign(
        CampaignOptions(
            store=store_file,
            name=("black-friday", "last-call")[number],
            topic=rig.topic,
            parts=(
                ApnsPart(
                    payload=PAYLOADS[number],
                    options=ApnsOptions(rig.topic, endpoint.authority),
                    endpoint=endpoint,
                    key_file=Path(rig.key_file),
                    key_id=rig.key_id,
                    team_id=rig.team_id,
                ),
                FcmPart(MESSAGES[number], endpoint, Path(rig.service_account_file)),
            ),
            ca_file=Path(rig.ca_file),
            pool=PoolOptions(connections=options.connections),
        ),
        show,
    )


def _ledger(control: ControlClient, population: Devices) -> LedgerFigures:
    (view,) = control.ledger(seed=population.seed).populations
    return LedgerFigures.of(view)


def _check_store(population: Devices, store_file: Path) -> tuple[int, int]:
    """How many devices were minted dead, and how many active ones the store holds as invalidated."""
    fates = population.fate_counts()
    dead = population.count - fates[Fate.ACTIVE]
    with DeviceStore.open(store_file) as store:
        wrongly = sum(_fate_of(device) in (None, Fate.ACTIVE) for device in store.invalidated())
    return dead, wrongly


def _fate_of(device: Invalidated) -> Fate | None:
    """The fate that a token was minted with; None for a token that is none of ours."""
    token = device.token.encode()
    sealed = unseal(token) if device.provider == APNS else unseal_registration(token)
    return None if sealed is None else sealed.fate


def _cpu(rig: RigProcess) -> dict[str, float | None]:
    return {"simulator": rig.figures.cpu_s, "sender": figures_of(os.getpid()).cpu_s}
