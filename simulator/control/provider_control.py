"""`/api/v1/service`, `/api/v1/fcm` and `/api/v1/rates`: are the providers in order, FCM's project, the rates kept."""

from typing import Literal

import msgspec
from starlette.responses import Response

from simulator.changes import ProvidersSet
from simulator.control.endpoint import AnyEndpoint, Call, Endpoint, NoBody, NoQuery
from simulator.control.problems import ControlError, Problem
from simulator.control.view import View
from simulator.rates.rates import Rates
from simulator.rig import Rig

ApnsConditionName = Literal["ok", "shutting-down", "unavailable", "internal-error"]
FcmConditionName = Literal["ok", "unavailable", "internal-error", "bad-gateway"]
CredentialName = Literal["valid", "invalid", "wrong-environment"]


class ServiceChange(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The condition of either provider, or of both; one that is left out stays as it is.

    `apns`: other than ok, every notification is answered 503 Shutdown, 503 ServiceUnavailable or 500 InternalServerError.
    `fcm`: 503 UNAVAILABLE, 500 INTERNAL, or a page of HTML with 502.
    """

    apns: ApnsConditionName | None = None
    fcm: FcmConditionName | None = None


class ServiceAnswer(msgspec.Struct, frozen=True):
    """The condition of each provider."""

    apns: str
    fcm: str


class FcmChange(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is left out stays as it is.

    `api_enabled`: false has sends refused with 403 SERVICE_DISABLED. `apns_credential`: what the project has uploaded for APNs;
    other than valid, registrations of iOS get 401 THIRD_PARTY_AUTH_ERROR.
    """

    api_enabled: bool | None = None
    apns_credential: CredentialName | None = None


class FcmAnswer(msgspec.Struct, frozen=True):
    """FCM's project.

    `application`, `apns_environment`: of synthetic registrations, which carry neither. `imported_registrations`: made of APNs
    tokens. `subscriptions`, `topics`: how many there are. `fan_outs_waiting`: messages to topics not yet delivered.
    """

    project_id: str
    project_number: str
    application: str
    apns_environment: str
    api_enabled: bool
    apns_credential: str
    imported_registrations: int
    subscriptions: int
    topics: int
    fan_outs_waiting: int


async def show_service(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET service."""
    return _service(call.rig)


async def change_service(call: Call[NoQuery, ServiceChange]) -> msgspec.Struct | Response:
    """PUT service."""
    change = call.body
    if change.apns is None and change.fcm is None:
        raise ControlError(Problem.INVALID_BODY, 'one of `apns` and `fcm` is needed, as in {"fcm":"unavailable"}')
    await _change(call.view, apns=change.apns, fcm=change.fcm)
    return _service(call.rig)


async def show_fcm(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET fcm."""
    return await _project(call.view)


async def change_fcm(call: Call[NoQuery, FcmChange]) -> msgspec.Struct | Response:
    """PUT fcm."""
    change = call.body
    if change.api_enabled is None and change.apns_credential is None:
        raise ControlError(
            Problem.INVALID_BODY,
            'one of `api_enabled` and `apns_credential` is needed, as in {"apns_credential":"invalid"}',
        )
    await _change(call.view, api_enabled=change.api_enabled, apns_credential=change.apns_credential)
    return await _project(call.view)


async def show_rates(call: Call[NoQuery, NoBody]) -> msgspec.Struct | Response:
    """GET rates."""
    return call.rig.fcm.rates.kept


async def _change(view: View, **parts: str | bool | None) -> None:
    """Set those parts of `ProvidersSet` that are not None."""
    async with view.changing() as tell:
        given = {name: value for name, value in parts.items() if value is not None}
        changed = msgspec.structs.replace(ProvidersSet.of(view.rig), **given)
        changed.apply(view.rig)
        tell(changed)


def _service(rig: Rig) -> ServiceAnswer:
    return ServiceAnswer(rig.apns.condition.wire_name, rig.fcm.condition.wire_name)


async def _project(view: View) -> FcmAnswer:
    fcm, standing = view.rig.fcm, await view.standing()
    return FcmAnswer(
        project_id=fcm.project.project_id,
        project_number=fcm.project.project_number,
        application=fcm.application,
        apns_environment=fcm.apns_environment.name.lower(),
        api_enabled=fcm.api_enabled,
        apns_credential=fcm.apns_credential.wire_name,
        imported_registrations=len(fcm.registrations),
        subscriptions=len(fcm.subscriptions),
        topics=fcm.subscriptions.topics_count,
        fan_outs_waiting=standing.fan_outs_waiting,
    )


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/api/v1/service",
        operation="showService",
        summary="Whether APNs and FCM are in order.",
        handler=show_service,
        query=NoQuery,
        body=NoBody,
        answer=ServiceAnswer,
    ),
    Endpoint(
        method="PUT",
        path="/api/v1/service",
        operation="changeService",
        summary="Take APNs or FCM out of order, or put it in order again.",
        handler=change_service,
        query=NoQuery,
        body=ServiceChange,
        answer=ServiceAnswer,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/fcm",
        operation="showFcm",
        summary="FCM's project: its names and settings, and how much it holds.",
        handler=show_fcm,
        query=NoQuery,
        body=NoBody,
        answer=FcmAnswer,
    ),
    Endpoint(
        method="PUT",
        path="/api/v1/fcm",
        operation="changeFcm",
        summary="Enable or disable the API of FCM's project, or change its APNs credential.",
        handler=change_fcm,
        query=NoQuery,
        body=FcmChange,
        answer=FcmAnswer,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/rates",
        operation="showRates",
        summary="The rates that the providers keep (`--limits`); null: none.",
        handler=show_rates,
        query=NoQuery,
        body=NoBody,
        answer=Rates,
    ),
)
