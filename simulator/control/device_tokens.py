"""`/api/v1/tokens`: devices registered by hand, what the rig knows of a token, and states set by hand."""

import re
from collections.abc import Generator, Iterator

import msgspec
from starlette.responses import Response

from simulator.apns.reasons import Reason
from simulator.apns.state import UnknownTokens
from simulator.changes import StateRemoved, StateSet
from simulator.control.endpoint import AnyEndpoint, Call, Endpoint, NoBody, NoQuery
from simulator.control.fcm_tokens import known_of_registration, mint_registrations
from simulator.control.problems import ControlError, Problem
from simulator.control.slices import in_slices
from simulator.control.token_records import (
    ExpectedAnswer,
    LedgerMark,
    RegisteredDevice,
    Registration,
    RegistrationAnswer,
    SealedFacts,
    StateChange,
    StateShown,
    TokenAnswer,
)
from simulator.devices.fates import Death, Fate, Provider
from simulator.devices.registration_space import Platform
from simulator.devices.token_space import Environment, Minted, Population, unseal
from simulator.registry import DeviceState
from simulator.rig import Rig

TOKEN_CHARACTERS_MAX = 512  # as the judges'; APNs's tokens of 160 digits have been seen

_APNS_TOKEN = re.compile(r"(?:[0-9A-Fa-f]{2})+")


async def register_devices(call: Call[NoQuery, Registration]) -> msgspec.Struct | Response:
    """POST tokens."""
    rig, body = call.rig, call.body
    provider = Provider(body.provider)
    fate = _fate(body.fate, "fate", provider)
    seed = rig.registrations.own_seed(provider, fate) if body.seed is None else body.seed
    first = rig.registrations.next_index(seed)
    environment = platform = None
    try:
        if provider is Provider.APNS:
            topic, environment = _of_apns(body)
            minted = _mint_apns(rig, seed, body.count, topic, environment, fate)
        else:
            topic, platform = rig.fcm.application, _of_fcm(body, rig.fcm.application)
            minted = mint_registrations(rig, seed, body.count, platform, fate)
    except ValueError as error:
        raise ControlError(Problem.INVALID_VALUE, str(error)) from None
    if body.seed is None and fate is not Fate.INVALID_SHAPE:
        _declare_registered(rig, seed, first, first + body.count)
    devices = await in_slices(_registered(minted, first))
    return RegistrationAnswer(
        seed,
        body.provider,
        topic,
        fate.wire_name,
        None if environment is None else environment.name.lower(),
        None if platform is None else platform.name.lower(),
        devices,
    )


async def show_token(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET tokens/{token}."""
    return known_of(call.rig, *_named(call))


async def set_state(call: Call[NoQuery, StateChange]) -> msgspec.Struct | Response:
    """PUT tokens/{token}."""
    (provider, token), body, rig = _named(call), call.body, call.rig
    fate = _fate(body.state, "state", provider)
    if not fate.settable:
        raise ControlError(
            Problem.INVALID_BODY,
            f"the state {fate.wire_name!r} cannot be set by hand; those that can: {_listed(provider, settable=True)}",
        )
    since_ms = rig.clock.now_ms() if body.since_ms is None else body.since_ms
    async with call.view.changing() as tell:
        change = StateSet(provider.value, token, fate.wire_name, since_ms)
        change.apply(rig)
        tell(change)
    return known_of(rig, provider, token)


async def remove_state(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """DELETE tokens/{token}: the token speaks for itself again. Nothing happens when no state was set."""
    provider, token = _named(call)
    async with call.view.changing() as tell:
        change = StateRemoved(provider.value, token)
        change.apply(call.rig)
        tell(change)
    return known_of(call.rig, provider, token)


def _of_apns(body: Registration) -> tuple[str, Environment]:
    """Topic and environment of devices to register."""
    if body.topic is None:
        raise ControlError(
            Problem.INVALID_BODY, '`topic` is needed: the bundle id of the app, as in {"topic":"com.example.app"}'
        )
    if body.platform is not None:
        raise ControlError(Problem.INVALID_BODY, '`platform` goes with {"provider":"fcm"} only; leave it out')
    return body.topic, Environment[(body.environment or "production").upper()]


def _of_fcm(body: Registration, application: str) -> Platform:
    """The platform of registrations to make."""
    if body.environment is not None:
        raise ControlError(Problem.INVALID_BODY, '`environment` goes with {"provider":"apns"} only; leave it out')
    if body.topic is not None and body.topic != application:
        raise ControlError(
            Problem.INVALID_VALUE,
            f"`topic`: registrations of FCM carry no app, all are of this simulator's, {application}; leave `topic` out, or "
            "start the simulator with another --topic",
        )
    return Platform[(body.platform or "android").upper()]


def _mint_apns(rig: Rig, seed: int, count: int, topic: str, environment: Environment, fate: Fate) -> Iterator[Minted]:
    shares = () if fate is Fate.ACTIVE else ((fate, 1.0),)
    return rig.registrations.mint(
        seed, count, lambda end: Population(seed, end, topic, environment, shares, rig.apns.epoch_ms)
    )


def _declare_registered(rig: Rig, seed: int, first: int, end: int) -> None:
    """Declare the rig's own devices in the ledger, unless the user has declared that seed in another way."""
    start = rig.registrations.first_index(seed)
    declared = next((each for each in rig.ledger.populations() if each.seed == seed), None)
    if declared is None or (declared.start, declared.count) == (start, first - start):
        rig.ledger.declare(seed, end - start, start)


def _named(call: Call[NoQuery, StateChange] | Call[NoQuery, NoBody]) -> tuple[Provider, bytes]:
    """The token of the path, APNs's in lower case, and whose it is: what is hexadecimal is APNs's."""
    text = call.path_values["token"]
    if len(text) <= TOKEN_CHARACTERS_MAX:
        if _APNS_TOKEN.fullmatch(text):
            return Provider.APNS, text.lower().encode("ascii")
        if text.isascii() and call.rig.fcm.registrations.find(text.encode("ascii")) is not None:
            return Provider.FCM, text.encode("ascii")
    raise ControlError(
        Problem.INVALID_TOKEN,
        f"{text[:80]!r} is no token: one of APNs is an even number of hexadecimal digits, at most {TOKEN_CHARACTERS_MAX}, as "
        "in /api/v1/tokens/00fc13ad…; one of FCM is a well-formed registration token, or its installation id of 22 characters",
    )


def _fate(name: str, field: str, provider: Provider) -> Fate:
    for fate in Fate.of_provider(provider):
        if fate.wire_name == name:
            return fate
    listed = _listed(provider, settable=field == "state")
    raise ControlError(Problem.INVALID_BODY, f"`{field}`: there is no {name[:80]!r}; write one of {listed}")


def _listed(provider: Provider, *, settable: bool) -> str:
    return ", ".join(fate.wire_name for fate in Fate.of_provider(provider) if fate.settable or not settable)


def _registered(minted: Iterator[Minted], first: int) -> Generator[None, None, list[RegisteredDevice]]:
    devices = []
    for index, device in enumerate(minted, first):
        devices.append(RegisteredDevice(device.token, index, device.registered_at_ms))
        if len(devices) % 64 == 0:
            yield
    return devices


def known_of(rig: Rig, provider: Provider, token: bytes) -> TokenAnswer:
    """What the rig knows of a token, which is well-formed, of APNs in lower case."""
    if provider is Provider.APNS:
        return _known_of_apns(rig, token)
    registration = rig.fcm.registrations.find(token)
    assert registration is not None
    return known_of_registration(rig, token, registration)


def _known_of_apns(rig: Rig, token: bytes) -> TokenAnswer:
    sealed = unseal(token)
    state = rig.registry.get(token)
    died_at_ms = None
    if sealed is not None and sealed.fate.death is not Death.NONE:
        died_at_ms = rig.apns.epoch_ms + sealed.instant_s * 1000
    return TokenAnswer(
        token=token.decode("ascii"),
        provider="apns",
        sealed=None
        if sealed is None
        else SealedFacts(
            seed=sealed.seed,
            index=sealed.index,
            fate=sealed.fate.wire_name,
            died_at_ms=died_at_ms,
            environment=sealed.environment.name.lower(),
            topic_tag=sealed.topic_tag.hex(),
            platform=None,
        ),
        state_set=None if state is None else StateShown(state.fate.wire_name, state.since_ms),
        answer=_expected(rig, None if sealed is None else sealed.fate, died_at_ms, state),
        ledger=None if sealed is None else LedgerMark(*rig.ledger.mark(sealed.seed, sealed.index)),
        registration=None,
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
