"""All that the control plane can change in a simulator: one record each, which makes the same of every copy of its state.

Whoever changes one copy has the change made in the others: what was drawn there (numbers, the time) stands in the record. All
takes effect at once; what `apply` returns only frees memory, a millisecond at a time, and may be done later. Pure.
"""

from collections.abc import Callable, Generator, Iterable
from itertools import chain
from typing import Final, Literal, TypeAlias

import msgspec

from simulator.apns.state import Condition
from simulator.devices.fates import Fate, Provider
from simulator.faults.engine import ActiveFault
from simulator.faults.fault_text import options_of, plan_fault
from simulator.fcm.state import ApnsCredential, FcmCondition
from simulator.registry import DeviceState, Registry
from simulator.rig import Rig

Steps: TypeAlias = Iterable[None]
Part = Literal[
    "subscriptions",
    "journal",
    "ledger",
    "overlay",
    "clock",
    "counters",
    "provider-tokens",
    "rates",
    "service",
    "faults",
]


class Change(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Base of all. Each has an `apply(rig)`, which changes one copy of the state."""


class StateSet(Change, frozen=True):
    """A device has a state set by hand. `fate`: its name. `token`: as it was written."""

    provider: str
    token: bytes
    fate: str
    since_ms: int

    def apply(self, rig: Rig) -> Steps:
        _overlay(rig, self.provider).set(self.token, DeviceState(Fate.of_name(self.fate), self.since_ms))
        return ()


class StateRemoved(Change, frozen=True):
    """A device speaks for itself again."""

    provider: str
    token: bytes

    def apply(self, rig: Rig) -> Steps:
        _overlay(rig, self.provider).remove(self.token)
        return ()


class ClockSet(Change, frozen=True):
    """The clock runs like this now (`Clock.setting`)."""

    frozen_at_ms: int | None
    shift_ms: int

    @classmethod
    def of(cls, rig: Rig) -> "ClockSet":
        """As it runs in this rig."""
        return cls(*rig.clock.setting)

    def apply(self, rig: Rig) -> Steps:
        rig.clock.set_as(self.frozen_at_ms, self.shift_ms)
        return ()


class ProvidersSet(Change, frozen=True):
    """Whether the providers are in order, and what FCM's project is set to."""

    apns: str = Condition.OK.wire_name
    fcm: str = FcmCondition.OK.wire_name
    api_enabled: bool = True
    apns_credential: str = ApnsCredential.VALID.wire_name

    @classmethod
    def of(cls, rig: Rig) -> "ProvidersSet":
        """As they are in this rig."""
        fcm = rig.fcm
        return cls(
            rig.apns.condition.wire_name, fcm.condition.wire_name, fcm.api_enabled, fcm.apns_credential.wire_name
        )

    def apply(self, rig: Rig) -> Steps:
        rig.apns.condition = APNS_CONDITIONS[self.apns]
        rig.fcm.condition = FCM_CONDITIONS[self.fcm]
        rig.fcm.api_enabled = self.api_enabled
        rig.fcm.apns_credential = APNS_CREDENTIALS[self.apns_credential]
        return ()


APNS_CONDITIONS: Final = {condition.wire_name: condition for condition in Condition}
FCM_CONDITIONS: Final = {condition.wire_name: condition for condition in FcmCondition}
APNS_CREDENTIALS: Final = {credential.wire_name: credential for credential in ApnsCredential}


class FaultAdded(Change, frozen=True):
    """A fault is at work. `number`: the one that it was given. `before`: as in `Faults.put`."""

    number: int
    name: str
    options: dict[str, str | int | float | bool]
    added_s: float
    before: int

    @classmethod
    def of(cls, added: ActiveFault) -> "FaultAdded":
        """As it is at work elsewhere."""
        planned = added.planned
        return cls(added.number, planned.fault.name, options_of(planned), added.added_s, added.before)

    def apply(self, rig: Rig) -> Steps:
        rig.faults.put(plan_fault(self.name, self.options), self.added_s, self.number, self.before)
        return ()


class FaultsRemoved(Change, frozen=True):
    """Faults are at work no more. `numbers`: None: none at all is."""

    numbers: list[int] | None

    def apply(self, rig: Rig) -> Steps:
        if self.numbers is None:
            rig.faults.clear()
        for number in self.numbers or ():
            rig.faults.remove(number)
        return ()


class ObservingSet(Change, frozen=True):
    """Observations are kept from `began_s` on (`Observations.began_s`); None: no longer."""

    began_s: float | None

    def apply(self, rig: Rig) -> Steps:
        if self.began_s is None:
            rig.stop_observing()
        else:
            rig.observe(self.began_s)
        return ()


class FrameLogSet(Change, frozen=True):
    """Frames are written down from `began_s` on (`FrameLog.began_s`), in a log that is on already with the lines so far
    forgotten; None: no longer."""

    began_s: float | None

    def apply(self, rig: Rig) -> Steps:
        if self.began_s is None:
            rig.stop_logging_frames()
        elif rig.frame_log.on:
            rig.frame_log.forget()
        else:
            rig.log_frames(began_s=self.began_s)
        return ()


class JournalCleared(Change, frozen=True):
    """The notifications so far are forgotten."""

    def apply(self, rig: Rig) -> Steps:
        return _begun(rig.journal.clear_steps())


class RoundStarted(Change, frozen=True):
    """The ledger has begun a new round."""

    def apply(self, rig: Rig) -> Steps:
        rig.ledger.start_round()
        return ()


class Reset(Change, frozen=True):
    """These parts of the simulator begin anew."""

    parts: list[Part]

    def apply(self, rig: Rig) -> Steps:
        return chain.from_iterable([RESETS[part](rig) for part in self.parts])


def _reset_subscriptions(rig: Rig) -> Steps:
    rig.fcm.fan_outs.clear()
    return chain(_begun(rig.fcm.subscriptions.clear_steps()), _begun(rig.fcm.registrations.clear_steps()))


def _reset_journal(rig: Rig) -> Steps:
    return _begun(rig.journal.clear_steps())


def _reset_ledger(rig: Rig) -> Steps:
    rig.ledger.reset()
    rig.registrations.start_over()
    return ()


def _reset_overlay(rig: Rig) -> Steps:
    return chain(_begun(rig.registry.clear_steps()), _begun(rig.fcm.overlay.clear_steps()))


def _reset_clock(rig: Rig) -> Steps:
    rig.clock.resume()
    return ()


def _reset_counters(rig: Rig) -> Steps:
    rig.counters.reset()
    rig.faults.played.clear()
    return ()


def _reset_provider_tokens(rig: Rig) -> Steps:
    rig.apns.forget_tokens()
    rig.fcm.forget_tokens()
    return ()


def _reset_rates(rig: Rig) -> Steps:
    return _begun(rig.fcm.rates.clear_steps())


def _reset_service(rig: Rig) -> Steps:
    return ProvidersSet().apply(rig)


def _reset_faults(rig: Rig) -> Steps:
    rig.faults.clear()
    return ()


RESETS: Final[dict[Part, Callable[[Rig], Steps]]] = {
    # First, so that no message to a topic is delivered into what has just begun anew.
    "subscriptions": _reset_subscriptions,
    "journal": _reset_journal,
    "ledger": _reset_ledger,
    "overlay": _reset_overlay,
    "clock": _reset_clock,
    "counters": _reset_counters,
    "provider-tokens": _reset_provider_tokens,
    "rates": _reset_rates,
    "service": _reset_service,
    "faults": _reset_faults,
}
"""In the order in which they begin anew."""


def _begun(steps: Generator[None, None, None]) -> Steps:
    """The steps behind the first, which does what can be noticed and is done now."""
    next(steps, None)
    return steps


def _overlay(rig: Rig, provider: str) -> Registry:
    return rig.registry if provider == Provider.APNS.value else rig.fcm.overlay


ControlChange: TypeAlias = (
    StateSet
    | StateRemoved
    | ClockSet
    | ProvidersSet
    | FaultAdded
    | FaultsRemoved
    | ObservingSet
    | FrameLogSet
    | JournalCleared
    | RoundStarted
    | Reset
)
