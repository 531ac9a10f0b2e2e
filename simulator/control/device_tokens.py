"""`/api/v1/tokens`: devices registered by hand, what the rig knows of a token, and states set by hand."""

import re
from collections.abc import Generator, Iterator
from typing import Annotated

import msgspec
from starlette.responses import Response

from simulator.apns.reasons import Reason
from simulator.apns.state import UnknownTokens
from simulator.clock import INSTANT_MS_MAX
from simulator.control.endpoint import AnyEndpoint, Call, Endpoint, NoBody, NoQuery
from simulator.control.problems import ControlError, Problem
from simulator.control.slices import in_slices
from simulator.devices.fates import Death, Fate, Provider
from simulator.devices.token_space import Environment, Minted, unseal
from simulator.ledger import SEED_MAX
from simulator.registry import DeviceState
from simulator.rig import Rig

TOKENS_MINTED_MAX = 10_000  # in one call; `pushrig tokens` mints millions
TOKEN_CHARACTERS_MAX = 512  # as the judge's; tokens of 160 digits have been seen

_TOKEN = re.compile(r"(?:[0-9A-Fa-f]{2})+")

Instant = Annotated[int, msgspec.Meta(ge=0, le=INSTANT_MS_MAX)]


class Registration(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Devices to register: fresh tokens at each call.

    `topic`: the app's bundle id. `fate`: what becomes of them. `environment`: production or sandbox. `seed`: of a
    population of your own; left out, of the rig's, which the ledger then knows as declared.
    """

    topic: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    fate: str = Fate.ACTIVE.wire_name
    count: Annotated[int, msgspec.Meta(ge=1, le=TOKENS_MINTED_MAX)] = 1
    environment: str = "production"
    seed: Annotated[int, msgspec.Meta(ge=0)] | None = None


class RegisteredDevice(msgspec.Struct, frozen=True):
    """One device. `registered_at_ms`: since the Unix epoch."""

    token: str
    index: int
    registered_at_ms: int


class RegistrationAnswer(msgspec.Struct, frozen=True):
    """The registered devices, of indices in a row."""

    seed: int
    topic: str
    fate: str
    environment: str
    devices: list[RegisteredDevice]


class StateChange(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`state`: a fate that can be set by hand. `since_ms`: since the Unix epoch; default now by the rig's clock."""

    state: str
    since_ms: Instant | None = None


class SealedFacts(msgspec.Struct, frozen=True):
    """What a synthetic token carries. `died_at_ms`: since the Unix epoch; null where its fate has no instant."""

    seed: int
    index: int
    environment: str
    fate: str
    died_at_ms: int | None
    topic_tag: str


class StateSet(msgspec.Struct, frozen=True):
    """A state set by hand, over what the token says of itself. `since_ms`: since the Unix epoch."""

    state: str
    since_ms: int


class ExpectedAnswer(msgspec.Struct, frozen=True):
    """The answer to a faultless notification, for the topic and in the environment of the token's population."""

    status: int
    reason: str | None
    timestamp_ms: int | None


class LedgerMark(msgspec.Struct, frozen=True):
    """The device in the running round. `accepted`: how often, where 2 stands for any more; `rejected`: ever."""

    accepted: int
    rejected: bool


class TokenAnswer(msgspec.Struct, frozen=True):
    """What the rig knows of a token. `sealed`, `ledger`: null for a foreign one; `state_set`: null when none is."""

    token: str
    sealed: SealedFacts | None
    state_set: StateSet | None
    answer: ExpectedAnswer
    ledger: LedgerMark | None


async def register_devices(call: Call[NoQuery, Registration]) -> msgspec.Struct | Response:
    """POST tokens."""
    rig, body = call.rig, call.body
    fate = _fate(body.fate, "fate")
    environment = _ENVIRONMENTS.get(body.environment)
    if environment is None:
        raise ControlError(
            Problem.INVALID_BODY, f"`environment` must be {' or '.join(_ENVIRONMENTS)}, not {body.environment[:80]!r}"
        )
    registrations = rig.registrations
    seed = registrations.seed if body.seed is None else body.seed
    if seed > SEED_MAX:
        raise ControlError(Problem.INVALID_BODY, f"`seed` must be from 0 to {SEED_MAX} (2**64 - 1), not {seed}")
    first = registrations.next_index(seed)
    try:
        minted = registrations.mint(seed, body.count, body.topic, environment, fate, rig.apns.epoch_ms)
    except ValueError as error:
        raise ControlError(Problem.INVALID_VALUE, str(error)) from None
    if body.seed is None:
        _declare_registered(rig, seed, first, first + body.count)
    devices = await in_slices(_registered(minted, first))
    return RegistrationAnswer(seed, body.topic, fate.wire_name, body.environment, devices)


async def show_token(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET tokens/{token}."""
    return known_of(call.rig, _token(call.path_values["token"]))


async def set_state(call: Call[NoQuery, StateChange]) -> msgspec.Struct | Response:
    """PUT tokens/{token}."""
    token, body = _token(call.path_values["token"]), call.body
    fate = _fate(body.state, "state")
    if not fate.settable:
        raise ControlError(
            Problem.INVALID_BODY,
            f"the state {fate.wire_name!r} cannot be set by hand; those that can: {_listed(settable=True)}",
        )
    since_ms = call.rig.clock.now_ms() if body.since_ms is None else body.since_ms
    call.rig.registry.set(token, DeviceState(fate, since_ms))
    return known_of(call.rig, token)


async def remove_state(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """DELETE tokens/{token}: the token speaks for itself again. Nothing happens when no state was set."""
    token = _token(call.path_values["token"])
    call.rig.registry.remove(token)
    return known_of(call.rig, token)


def _declare_registered(rig: Rig, seed: int, first: int, end: int) -> None:
    """Declare the rig's own devices in the ledger, unless the user has declared that seed in another way."""
    start = rig.registrations.first_index
    declared = next((each for each in rig.ledger.populations() if each.seed == seed), None)
    if declared is None or (declared.start, declared.count) == (start, first - start):
        rig.ledger.declare(seed, end - start, start)


_ENVIRONMENTS = {environment.name.lower(): environment for environment in Environment}


def _token(text: str) -> bytes:
    """The token of the path, lower-case."""
    if len(text) > TOKEN_CHARACTERS_MAX or _TOKEN.fullmatch(text) is None:
        raise ControlError(
            Problem.INVALID_TOKEN,
            f"{text[:80]!r} is no device token: it takes an even number of hexadecimal digits, at most "
            f"{TOKEN_CHARACTERS_MAX}, as in /api/v1/tokens/00fc13ad…",
        )
    return text.lower().encode("ascii")


def _fate(name: str, field: str) -> Fate:
    for fate in Fate.of_provider(Provider.APNS):
        if fate.wire_name == name:
            return fate
    listed = _listed(settable=field == "state")
    raise ControlError(Problem.INVALID_BODY, f"`{field}`: there is no {name[:80]!r}; write one of {listed}")


def _listed(*, settable: bool) -> str:
    return ", ".join(fate.wire_name for fate in Fate.of_provider(Provider.APNS) if fate.settable or not settable)


def _registered(minted: Iterator[Minted], first: int) -> Generator[None, None, list[RegisteredDevice]]:
    devices = []
    for index, device in enumerate(minted, first):
        devices.append(RegisteredDevice(device.token, index, device.registered_at_ms))
        if len(devices) % 64 == 0:
            yield
    return devices


def known_of(rig: Rig, token: bytes) -> TokenAnswer:
    """What the rig knows of a token (lower-case)."""
    sealed = unseal(token)
    state = rig.registry.get(token)
    died_at_ms = None
    if sealed is not None and sealed.fate.death is not Death.NONE:
        died_at_ms = rig.apns.epoch_ms + sealed.instant_s * 1000
    return TokenAnswer(
        token=token.decode("ascii"),
        sealed=None
        if sealed is None
        else SealedFacts(
            seed=sealed.seed,
            index=sealed.index,
            environment=sealed.environment.name.lower(),
            fate=sealed.fate.wire_name,
            died_at_ms=died_at_ms,
            topic_tag=sealed.topic_tag.hex(),
        ),
        state_set=None if state is None else StateSet(state.fate.wire_name, state.since_ms),
        answer=_expected(rig, None if sealed is None else sealed.fate, died_at_ms, state),
        ledger=None if sealed is None else LedgerMark(*rig.ledger.mark(sealed.seed, sealed.index)),
    )


def _expected(rig: Rig, sealed_fate: Fate | None, died_at_ms: int | None, state: DeviceState | None) -> ExpectedAnswer:
    if state is not None:
        fate, since_ms = state.fate, state.since_ms if state.fate.death is not Death.NONE else None
    elif sealed_fate is not None:
        fate, since_ms = sealed_fate, died_at_ms
    elif rig.apns.unknown_tokens is UnknownTokens.ACCEPT:
        fate, since_ms = Fate.ACTIVE, None
    else:
        return ExpectedAnswer(Reason.BAD_DEVICE_TOKEN.status, Reason.BAD_DEVICE_TOKEN.wire_name, None)
    if fate.reason is None:
        return ExpectedAnswer(200, None, None)
    reason = Reason.of_name(fate.reason)
    return ExpectedAnswer(reason.status, reason.wire_name, since_ms if reason.status == 410 else None)


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="POST",
        path="/api/v1/tokens",
        operation="registerDevices",
        summary="Register devices: mint fresh tokens of a topic, with the fate that is asked for.",
        handler=register_devices,
        query=NoQuery,
        body=Registration,
        answer=RegistrationAnswer,
        problems=(Problem.INVALID_VALUE, Problem.BOUND_REACHED),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/tokens/{token}",
        operation="showToken",
        summary="What the rig knows of a token, and the answer it would get.",
        handler=show_token,
        query=NoQuery,
        body=NoBody,
        answer=TokenAnswer,
        problems=(Problem.INVALID_TOKEN,),
    ),
    Endpoint(
        method="PUT",
        path="/api/v1/tokens/{token}",
        operation="setState",
        summary="Set the state of a device by hand, over what its token says of itself.",
        handler=set_state,
        query=NoQuery,
        body=StateChange,
        answer=TokenAnswer,
        problems=(Problem.INVALID_TOKEN, Problem.BOUND_REACHED),
    ),
    Endpoint(
        method="DELETE",
        path="/api/v1/tokens/{token}",
        operation="removeState",
        summary="Take back a state set by hand.",
        handler=remove_state,
        query=NoQuery,
        body=NoBody,
        answer=TokenAnswer,
        problems=(Problem.INVALID_TOKEN,),
    ),
)
