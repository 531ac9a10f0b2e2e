"""The same devices again and again: what a sender learns from one campaign shows in the next."""

from locust import tag, task
from locust.exception import StopUser

from loadtest.batch_sender import BatchSender
from loadtest.errors import LoadSettingsError
from loadtest.load_campaign import BatchResult, LoadCampaign
from loadtest.load_settings import LoadSettings
from loadtest.users import LOAD, BatchUser
from loadtest.workloads.dying_devices import with_dead
from loadtest.workloads.learning_source import InvalidDevices, LearningSource
from loadtest.workloads.manner import UNREGISTERED, Manner
from loadtest.workloads.options import WorkloadOptions, number_of, share_of
from simulator.devices.draws import Devices

CAMPAIGNS_MAX = 32


class CampaignsUser(BatchUser):
    """Sends one campaign after another to the devices that it was given, and leaves out what it has learnt to be dead.

    Between two campaigns some devices uninstall. Without feedback the dead are sent to in each campaign.
    """

    part = "campaigns"
    needs_batches = True
    one_process = True

    @classmethod
    def manner_of(cls, options: WorkloadOptions, settings: LoadSettings) -> Manner:
        count = _campaigns(options)
        # The last campaign has most dead devices: what cannot be there is said before the first.
        _population(settings.population, options, count)
        if options.feedback not in ("on", "off"):
            raise LoadSettingsError("--feedback", f"must be on or off, not {options.feedback!r}")
        return Manner(source=LearningSource, explains=UNREGISTERED)

    def begin(self, campaign: LoadCampaign, manner: Manner) -> None:
        self._number = 1
        self._sent: list[range] = []  # all batches of the first campaign
        self.part = _name(1)
        super().begin(campaign, manner)
        campaign.hold()
        self._holds = True
        assert self.sender is not None and self.environment.parsed_options is not None
        if self.environment.parsed_options.feedback == "on":
            invalid = InvalidDevices()
            for source in _sources(self.sender):
                source.invalid = invalid

    def on_stop(self) -> None:
        """Leave; answers that are under way are still counted."""
        super().on_stop()
        self._release()

    def send(self, sender: BatchSender, indices: range) -> BatchResult:
        result = super().send(sender, indices)
        if self._number == 1:
            self._sent.append(indices)
        return result

    @tag(part)
    @task
    def send_batch(self) -> None:
        """One batch of the first campaign; the others when it is over."""
        try:
            self.send_next_batch()
        except StopUser:
            if self.campaign is not None and self.sender is not None:
                self._send_again(self.campaign, self.sender)
            self._release()
            raise

    def _send_again(self, campaign: LoadCampaign, sender: BatchSender) -> None:
        options = self.environment.parsed_options
        assert options is not None
        self.further = True
        for number in range(2, _campaigns(options) + 1):
            self._number, self.part = number, _name(number)
            campaign.begin_part(self.part)
            population = _population(campaign.settings.population, options, number)
            for source in _sources(sender):
                source.change(population)
            for indices in self._sent:
                if campaign.stopped is not None:
                    return
                result = self.send(sender, indices)
                LOAD.record_batch(result)
                if result.stopped is not None:
                    campaign.stop(result.stopped)

    def _release(self) -> None:
        if getattr(self, "_holds", False) and self.campaign is not None:
            self._holds = False
            self.campaign.release()
            if self.campaign.finished:
                LOAD.end()


def _sources(sender: BatchSender) -> list[LearningSource]:
    return [side.source for side in sender.sides if isinstance(side.source, LearningSource)]


def _name(number: int) -> str:
    return f"campaign {number}"


def _campaigns(options: WorkloadOptions) -> int:
    count = number_of(options.campaigns)
    if count not in range(1, CAMPAIGNS_MAX + 1):
        raise LoadSettingsError("--campaigns", f"must be from 1 to {CAMPAIGNS_MAX}, not {options.campaigns!r}")
    return int(count)


def _population(population: Devices, options: WorkloadOptions, number: int) -> Devices:
    """The devices at the time of a campaign. The first one's are those of the options."""
    share = share_of("--uninstalls", options.uninstalls)
    return with_dead(population, min(1.0, share * (number - 1)), "--uninstalls")
