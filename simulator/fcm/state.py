"""What the simulated FCM knows and how it is set up: one record, passed in, shared by all its connections."""

from dataclasses import dataclass, field
from enum import Enum, unique

from simulator.apns.state import ApnsState, UnknownTokens
from simulator.devices.token_space import Environment
from simulator.fcm.access_token import AccessTokens
from simulator.fcm.errors import Cause, Fault, fault
from simulator.fcm.fan_out import FanOuts
from simulator.fcm.registrations import Registrations
from simulator.fcm.subscriptions import Subscriptions
from simulator.rates.rate_limits import RateLimits
from simulator.registry import Registry


@dataclass(frozen=True, slots=True)
class Project:
    """The one project of the simulator; paths may name it either way (B1)."""

    project_id: str
    project_number: str


@unique
class FcmCondition(Enum):
    """The state of the whole service: name, and the fault that every send gets (D4 2)."""

    OK = "ok", None
    UNAVAILABLE = "unavailable", fault(Cause.UNAVAILABLE)
    INTERNAL_ERROR = "internal-error", fault(Cause.INTERNAL)
    BAD_GATEWAY = "bad-gateway", fault(Cause.BAD_GATEWAY)

    def __init__(self, wire_name: str, fault: Fault | None) -> None:
        self.wire_name = wire_name
        self.fault = fault


@unique
class ApnsCredential(Enum):
    """What the project has uploaded for APNs: name, and the reason (status 403) with which APNs refuses it."""

    VALID = "valid", None
    INVALID = "invalid", "InvalidProviderToken"
    WRONG_ENVIRONMENT = "wrong-environment", "BadEnvironmentKeyInToken"

    def __init__(self, wire_name: str, reason: str | None) -> None:
        self.wire_name = wire_name
        self.reason = reason


@dataclass(slots=True)
class FcmState:
    """State and settings of one simulated FCM project.

    - `access`: who may send. `registrations`, `subscriptions`: what was imported and who follows which topic.
    - `rates`: what the project, a device and a topic may be sent. `fan_outs`: topic sends on their way.
    - `overlay`: device states set by hand, by `registrations.key_of`; they win over what a token says of itself.
    - `apns`: judges for registrations of iOS. `apns_environment`: where the project's app of iOS is registered.
    - `application`: package name and bundle id of registrations that carry none.
    - `version`: grows with every assignment to a field, so that what was derived from an older state is told apart.
    """

    project: Project
    access: AccessTokens
    apns: ApnsState
    application: str
    registrations: Registrations
    overlay: Registry
    apns_environment: Environment = Environment.PRODUCTION
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    rates: RateLimits = field(default_factory=RateLimits)
    fan_outs: FanOuts = field(default_factory=FanOuts)
    unknown_tokens: UnknownTokens = UnknownTokens.ACCEPT
    api_enabled: bool = True
    apns_credential: ApnsCredential = ApnsCredential.VALID
    condition: FcmCondition = FcmCondition.OK
    version: int = field(default=0, init=False)

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        if name != "version":
            object.__setattr__(self, "version", getattr(self, "version", 0) + 1)

    def forget_tokens(self) -> None:
        """Forget all access tokens seen so far, the age of self-signed ones, and which callers were cleared; for a reset."""
        self.access.forget()
        self.version += 1
