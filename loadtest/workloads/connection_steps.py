"""How the load goes with the number of connections and of streams on each: one step after another, in one campaign."""

import re
from typing import NamedTuple

from locust import tag, task

from loadtest.batch_sender import BatchSender
from loadtest.errors import LoadSettingsError
from loadtest.load_campaign import BatchResult, LoadCampaign
from loadtest.load_settings import LoadSettings
from loadtest.users import BatchUser
from loadtest.workloads.manner import Manner
from loadtest.workloads.options import WorkloadOptions
from sender.pool import CONNECTIONS_MAX

OPTION = "--connection-steps"
STEPS_MAX = 32
STREAMS_MAX = 1_000
"""What the providers give one connection at most."""

_STEP = re.compile(r"(\d{1,4})x(\d{1,5})")


class Step(NamedTuple):
    """What one user keeps: `connections` to each provider, up to `streams` requests at a time on each."""

    connections: int
    streams: int

    def __str__(self) -> str:
        return f"{self.connections}x{self.streams}"


def steps_of(text: str) -> list[Step]:
    """The steps of the option, such as `1x1000,2x500`. Raises LoadSettingsError."""
    steps = []
    for each in text.split(","):
        match = _STEP.fullmatch(each.strip())
        if match is None:
            raise LoadSettingsError(OPTION, f"cannot read {each[:40]!r}: write CONNECTIONSxSTREAMS, such as 2x500")
        step = Step(int(match[1]), int(match[2]))
        if not 1 <= step.connections <= CONNECTIONS_MAX or not 1 <= step.streams <= STREAMS_MAX:
            raise LoadSettingsError(
                OPTION, f"{each}: a user has 1 to {CONNECTIONS_MAX} connections with 1 to {STREAMS_MAX} streams each"
            )
        steps.append(step)
    if len(steps) > STEPS_MAX or len(set(steps)) < len(steps):
        raise LoadSettingsError(OPTION, f"give each step once, and at most {STEPS_MAX}")
    return steps


class ConnectionStepsUser(BatchUser):
    """Goes through steps of connections and streams: each has an equal part of the devices, and figures of its own."""

    part = "connection-steps"
    needs_batches = True

    @classmethod
    def manner_of(cls, options: WorkloadOptions, settings: LoadSettings) -> Manner:
        return _manner(steps_of(options.connection_steps)[0])

    def begin(self, campaign: LoadCampaign, manner: Manner) -> None:
        options = self.environment.parsed_options
        assert options is not None
        self._steps = steps_of(options.connection_steps)
        self.part = str(self._steps[0])
        super().begin(campaign, manner)

    def send(self, sender: BatchSender, indices: range) -> BatchResult:
        campaign = self.campaign
        assert campaign is not None
        # By the index: so all users come to a step at the same time.
        settings = campaign.settings
        step = self._steps[(indices.start - settings.start_index) * len(self._steps) // settings.devices]
        if str(step) != self.part:
            self.part = str(step)
            super().begin(campaign, _manner(step))  # before the one is closed: a user is here all the time
            sender.close()
            assert self.sender is not None
            sender = self.sender
        return super().send(sender, indices)

    @tag(part)
    @task
    def send_batch(self) -> None:
        """One batch."""
        self.send_next_batch()


def _manner(step: Step) -> Manner:
    return Manner(connections=step.connections, streams_max=step.streams)
