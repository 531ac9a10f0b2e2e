"""Workloads that differ from the ordinary user in one thing: what they send, to whom, with which credential, with what care."""

from collections.abc import Callable
from functools import partial

from locust import tag, task

from loadtest.batch_sender import BatchSender
from loadtest.errors import LoadSettingsError
from loadtest.load_campaign import BatchResult, LoadCampaign
from loadtest.load_settings import LoadSettings
from loadtest.users import BatchUser
from loadtest.workloads.bad_delivery import BadDelivery, Habit, habits_of
from loadtest.workloads.dying_devices import uninstall_wave
from loadtest.workloads.manner import UNREGISTERED, Manner, reference_delivery
from loadtest.workloads.options import WorkloadOptions, number_of, share_of
from loadtest.workloads.payload_sizes import PayloadSizes, padded_message, padded_payload, padding_of
from loadtest.workloads.rotating_credential import RotatingCredential
from sender.credential import Credential
from sender.delivery import Delivery
from sender.provider import Provider as SenderProvider
from sender.reaction import RetryPolicy
from simulator.devices.fates import Provider

PER_CONNECTION, PER_BATCH = "connection", "batch"


class PayloadSizesUser(BatchUser):
    """Payloads of given sizes, up to the largest that the providers take."""

    part = "payload-sizes"

    @classmethod
    def manner_of(cls, options: WorkloadOptions, settings: LoadSettings) -> Manner:
        for option, content in (("--payload", settings.apns), ("--message", settings.fcm)):
            if content is not None and content.template is not None:
                raise LoadSettingsError(option, f"{cls.__name__} makes its own: leave it out")
        sizes = PayloadSizes(options.payload_bytes)
        return Manner(
            payload=padded_payload(),
            message=padded_message(),
            attributes={provider: padding_of(sizes, provider) for provider in Provider},
        )

    @tag(part)
    @task
    def send_batch(self) -> None:
        """One batch."""
        self.send_next_batch()


class UninstallWaveUser(BatchUser):
    """More and more devices are gone, from the first batch to the last."""

    part = "uninstall-wave"

    @classmethod
    def manner_of(cls, options: WorkloadOptions, settings: LoadSettings) -> Manner:
        first, last = share_of("--dead-from", options.dead_from), share_of("--dead-to", options.dead_to)
        population = uninstall_wave(settings.population, settings.start_index, first, last)
        return Manner(population=population, explains=UNREGISTERED)

    @tag(part)
    @task
    def send_batch(self) -> None:
        """One batch."""
        self.send_next_batch()


class TokenRotationUser(BatchUser):
    """Changes its provider token, or access token: from connection to connection, in time, or far too often.

    APNs takes a new provider token of a key every 20 minutes at most, and answers 429 TooManyProviderTokenUpdates to more.
    """

    part = "token-rotation"

    @classmethod
    def manner_of(cls, options: WorkloadOptions, settings: LoadSettings) -> Manner:
        every_s = _rotation(options.rotate_token)
        if options.rotate_token == PER_BATCH and settings.profile is not None:
            raise LoadSettingsError("--rotate-token", "batch needs batch after batch: give it without --load-profile")
        # One connection each: so a token of the user's own is one of the connection's own.
        connections = 1 if options.rotate_token == PER_CONNECTION else None
        delivery = _given_up_soon if options.rotate_token == PER_BATCH else reference_delivery
        return Manner(credential=_rotating(every_s), connections=connections, delivery=delivery)

    def send(self, sender: BatchSender, indices: range) -> BatchResult:
        options = self.environment.parsed_options
        if options is not None and options.rotate_token == PER_BATCH:
            rotate(sender)
        return super().send(sender, indices)

    @tag(part)
    @task
    def send_batch(self) -> None:
        """One batch."""
        self.send_next_batch()


class BadSenderUser(BatchUser):
    """A careless sender: repeats at once, sends to dead tokens again, reconnects for each batch.

    Beside ordinary users it shares their campaign, and has figures of its own.
    """

    part = "bad-sender"

    @classmethod
    def manner_of(cls, options: WorkloadOptions, settings: LoadSettings) -> Manner:
        habits = habits_of(options.bad_habits)
        if settings.profile is not None and (needing := [each for each in habits if each.in_batches]):
            raise LoadSettingsError(
                "--bad-habits", f"{', '.join(sorted(needing))}: needs batch after batch: give it without --load-profile"
            )
        return Manner(
            credential=_rotating() if Habit.TOKEN_PER_BATCH in habits else None,
            delivery=partial(BadDelivery, habits=habits),
        )

    def begin(self, campaign: LoadCampaign, manner: Manner) -> None:
        options = self.environment.parsed_options
        self._habits = habits_of("" if options is None else options.bad_habits)
        super().begin(campaign, manner)

    def send(self, sender: BatchSender, indices: range) -> BatchResult:
        if Habit.RECONNECT in self._habits:
            sender.reopen()
        if Habit.TOKEN_PER_BATCH in self._habits:
            rotate(sender)
        return super().send(sender, indices)

    @tag(part)
    @task
    def send_batch(self) -> None:
        """One batch."""
        self.send_next_batch()


def rotate(sender: BatchSender) -> None:
    """New credentials from now on."""
    for side in sender.sides:
        if isinstance(side.delivery.credential, RotatingCredential):
            side.delivery.credential.rotate()


def _given_up_soon(provider: SenderProvider, credential: Credential, draw: Callable[[], float]) -> Delivery:
    """A token that was refused because it came too soon is refused for the next minutes: one repeat shows it."""
    return Delivery(provider, credential, draw=draw, policy=RetryPolicy(attempts_max=2))


def _rotating(every_s: float = float("inf")) -> Callable[[Callable[[], Credential]], Credential]:
    return lambda fresh: RotatingCredential(fresh, every_s)


def _rotation(text: str) -> float:
    """After how many seconds credentials change. Raises LoadSettingsError."""
    if text in (PER_CONNECTION, PER_BATCH):
        return float("inf")
    every_s = number_of(text)
    if not 0 < every_s < float("inf"):
        raise LoadSettingsError("--rotate-token", f"must be connection, batch, or seconds above 0, not {text!r}")
    return every_s
