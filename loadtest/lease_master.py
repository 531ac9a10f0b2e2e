"""The master's side of leases under Locust: messages of its workers go to the campaign, and the clock with them.

Locust tells of a worker that says goodbye at once, and of one that is silent after some four seconds.
"""

import secrets
from collections.abc import Callable

import gevent
import msgspec
from locust.env import Environment
from locust.rpc import Message
from locust.runners import STATE_MISSING, MasterRunner
from locust.stats import RequestStats, StatsEntry

from loadtest.lease_campaign import MasterCampaign
from loadtest.lease_messages import ASK, REPORT, Asked, WorkerReport
from loadtest.load_settings import LoadSettings

WATCH_S = 0.2


class Master:
    """Locust's master with the campaign of its present test. `on_end`: called once when that is over."""

    def __init__(self, runner: MasterRunner, on_end: Callable[[], None]) -> None:
        self._runner = runner
        self._on_end = on_end
        self._watching: gevent.Greenlet | None = None
        self.campaign: MasterCampaign | None = None
        runner.register_message(ASK, self._on_ask)

    def begin(self, settings: LoadSettings) -> str | None:
        """Begin a campaign. Returns why it cannot be, or None."""
        workers = len(self._runner.clients.ready)
        if self._runner.target_user_count < workers:
            return f"{workers} workers need at least as many users: start with --users {workers} or more"
        self.campaign = MasterCampaign(settings, secrets.randbits(53), send=self._send, present=self._present)
        if self._watching is not None:
            self._watching.kill()
        self._watching = gevent.spawn(self._watch, self.campaign)
        return None

    def heard(self, worker: str, data: dict[str, object]) -> None:
        """Figures of a worker have come. Comes before Locust takes its own of them."""
        if self.campaign is None:
            return
        encoded = data.get(REPORT)
        counts = not self.campaign.is_lost(worker)
        if isinstance(encoded, bytes):
            counts = self.campaign.heard(worker, msgspec.msgpack.decode(encoded, type=WorkerReport))
        if not counts:
            # What it counted is counted by those that have taken over.
            nothing = RequestStats()
            data["stats"], data["errors"] = [], {}
            data["stats_total"] = StatsEntry(nothing, "Aggregated", "").get_stripped_report()

    def _watch(self, campaign: MasterCampaign) -> None:
        while not campaign.over:
            gevent.sleep(WATCH_S)
            campaign.watch()
        self._on_end()

    def _on_ask(self, environment: Environment, msg: Message, **_: object) -> None:
        if self.campaign is not None:
            self.campaign.asked(msg.node_id, msgspec.convert(msg.data, Asked))

    def _present(self) -> set[str]:
        return {node.id for node in self._runner.clients.all if node.state != STATE_MISSING}

    def _send(self, worker: str, message: str, content: msgspec.Struct) -> None:
        self._runner.send_message(message, msgspec.to_builtins(content), worker)
