"""The handle of one running simulator: what tests see of it."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

from pushrig_pytest.control_api import CALL_TIMEOUT_S, ControlApi
from pushrig_pytest.errors import NotificationsDroppedWarning, NotificationsMissingError, PushSimulatorError
from pushrig_pytest.process import SimulatorProcess
from pushrig_pytest.records import (
    Device,
    FcmProject,
    Ledger,
    Notification,
    Stats,
    ledger_from,
    notification_from,
    record_from,
)

WAIT_S_DEFAULT = 5.0
NOTIFICATIONS_PAGE_MAX = 1_000  # of one answer, by the control API
DEVICES_CALL_MAX = 10_000  # registered in one call, by the control API
NOTIFICATIONS_SHOWN_MAX = 5
# What `pushrig env` prints: variable, and the field of the first line that it has.
VARIABLES = {
    "PUSHRIG_URL": "url",
    "PUSHRIG_CONTROL_URL": "control_url",
    "PUSHRIG_ENVIRONMENT": "environment",
    "PUSHRIG_TOPIC": "topic",
    "APNS_KEY_FILE": "key_file",
    "APNS_KEY_ID": "key_id",
    "APNS_TEAM_ID": "team_id",
    "GOOGLE_APPLICATION_CREDENTIALS": "service_account_file",
    "GOOGLE_CLOUD_PROJECT": "project_id",
    "GCLOUD_PROJECT": "project_id",
    "FCM_PROJECT_ID": "project_id",
    "FCM_PROJECT_NUMBER": "project_number",
    "APNS_CERT_FILE": "client_certificate_file",
    "APNS_CERT_KEY_FILE": "client_key_file",
    "PUSHRIG_CLEARTEXT_URL": "cleartext_url",
    "SSL_CERT_FILE": "bundle_file",
    "REQUESTS_CA_BUNDLE": "bundle_file",
    "CURL_CA_BUNDLE": "bundle_file",
    "PUSHRIG_CA_FILE": "ca_file",
    "NODE_EXTRA_CA_CERTS": "ca_file",
}


class SimulatorClock:
    """The simulator's time: it ages provider tokens and dates what is set and sent. All methods return it, in ms."""

    def __init__(self, api: ControlApi) -> None:
        self._api = api

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return self._now(self._api.call("GET", "clock"))

    def freeze(self, at_ms: int | None = None) -> int:
        """Stand still, now or at an instant (ms since the Unix epoch)."""
        return self._change({"mode": "freeze"} if at_ms is None else {"mode": "freeze", "at_ms": at_ms})

    def advance(self, delta_ms: int) -> int:
        """Move forward. A frozen clock stays frozen."""
        return self._change({"advance_ms": delta_ms})

    def resume(self) -> int:
        """Show real time again."""
        return self._change({"mode": "real"})

    def _change(self, change: Mapping[str, object]) -> int:
        return self._now(self._api.call("PUT", "clock", change))

    @staticmethod
    def _now(answer: Mapping[str, Any]) -> int:
        now_ms: int = answer["now_ms"]
        return now_ms


class FcmSettings:
    """FCM's project in the simulator: what stands between a good message and its delivery. A reset takes it all back."""

    def __init__(self, api: ControlApi) -> None:
        self._api = api

    def project(self) -> FcmProject:
        """As it stands."""
        return record_from(FcmProject, self._api.call("GET", "fcm"))

    def set_api_enabled(self, enabled: bool) -> None:
        """Whether the project has enabled the API; otherwise sends get 403 SERVICE_DISABLED."""
        self._api.call("PUT", "fcm", {"api_enabled": enabled})

    def set_apns_credential(self, credential: str) -> None:
        """What the project has uploaded for APNs: `valid`, `invalid` or `wrong-environment`.

        With one of the latter registrations of iOS get 401 THIRD_PARTY_AUTH_ERROR.
        """
        self._api.call("PUT", "fcm", {"apns_credential": credential})


class PushSimulator:
    """A running simulator. Made by the fixtures; as a context manager it is stopped at the end.

    All calls raise SimulatorDiedError when its process has ended, ControlApiError when it refuses. They block, and may come
    from any thread.
    """

    def __init__(self, process: SimulatorProcess) -> None:
        self._process = process
        self._running = process.running
        self._api = ControlApi(process)
        self.clock = SimulatorClock(self._api)
        self.fcm = FcmSettings(self._api)

    # Where it is, and what senders need

    @property
    def url(self) -> str:
        """Of the provider plane, without a trailing slash: `https://localhost:PORT`."""
        return str(self._running["url"])

    @property
    def host(self) -> str:
        """The host of `url`; the certificate names it."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port of `url`."""
        return int(self._running["port"])

    @property
    def cleartext_port(self) -> int | None:
        """The port for HTTP/2 without TLS, where `--cleartext-port` opened one."""
        port: int | None = self._running["cleartext_port"]
        return port

    @property
    def control_url(self) -> str:
        """Of the control plane: its API is under `/api/v1`, described by `/api/v1/openapi.json`."""
        return str(self._running["control_url"])

    @property
    def ca_file(self) -> Path:
        """The CA that senders have to trust (PEM)."""
        return self._trust_file("ca_file")

    @property
    def bundle_file(self) -> Path:
        """That CA and the system's roots, for variables that replace the trust store (`SSL_CERT_FILE`)."""
        return self._trust_file("bundle_file")

    def _trust_file(self, name: str) -> Path:
        if self._running[name] is None:
            raise PushSimulatorError(f"no {name}: with --tls-cert, trust the CA that issued that certificate")
        return Path(self._running[name])

    @property
    def key_file(self) -> Path:
        """The provider key (`AuthKey_….p8`)."""
        return Path(self._running["key_file"])

    @property
    def key_id(self) -> str:
        """Of the provider key: `kid` of provider tokens."""
        return str(self._running["key_id"])

    @property
    def team_id(self) -> str:
        """`iss` of provider tokens."""
        return str(self._running["team_id"])

    @property
    def service_account_file(self) -> Path:
        """The service account that senders to FCM authenticate with (JSON), its `token_uri` at this simulator."""
        return Path(self._running["service_account_file"])

    @property
    def project_id(self) -> str:
        """Of the FCM project."""
        return str(self._running["project_id"])

    @property
    def project_number(self) -> str:
        """Of the FCM project, also called its sender id."""
        return str(self._running["project_number"])

    @property
    def topic(self) -> str:
        """A topic that notifications may be sent to; that of `token()` unless it is told another."""
        return str(self._running["topic"])

    @property
    def environment(self) -> str:
        """`production` or `sandbox`."""
        return str(self._running["environment"])

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables that `pushrig env` prints: where it is, its key, and whom to trust."""
        return {name: self._running[key] for name, key in VARIABLES.items() if self._running[key] is not None}

    # Devices

    def token(
        self, fate: str = "active", topic: str | None = None, *, provider: str = "apns", platform: str | None = None
    ) -> str:
        """A fresh device token of APNs, or with `provider="fcm"` a registration token.

        `fate`: what its notifications get, as `unregistered`, `expired`, `wrong-topic` or FCM's `other-sender`, `stale`,
        `invalid-shape`. `topic`: the app, of APNs. `platform`: of FCM, `android` unless it is `ios` or `web`.
        """
        return self.tokens(1, fate, topic, provider=provider, platform=platform)[0]

    def tokens(
        self,
        count: int,
        fate: str = "active",
        topic: str | None = None,
        *,
        provider: str = "apns",
        platform: str | None = None,
    ) -> list[str]:
        """So many fresh tokens."""
        devices = self.devices(count, fate, topic, provider=provider, platform=platform)
        return [device.token for device in devices]

    def devices(
        self,
        count: int,
        fate: str = "active",
        topic: str | None = None,
        *,
        provider: str = "apns",
        platform: str | None = None,
    ) -> list[Device]:
        """So many fresh devices, with the instants of their registration. They count in the ledger."""
        asked: dict[str, object | None] = {"fate": fate, "provider": provider, "topic": topic, "platform": platform}
        if provider == "apns":
            asked |= {"topic": self.topic if topic is None else topic, "environment": self.environment}
        given = {name: value for name, value in asked.items() if value is not None}
        found: list[Device] = []
        while True:
            wanted = {**given, "count": min(count - len(found), DEVICES_CALL_MAX)}
            found += [record_from(Device, each) for each in self._api.call("POST", "tokens", wanted)["devices"]]
            if len(found) >= count:
                return found

    def set_state(self, token: str, state: str, since_ms: int | None = None) -> None:
        """Say what became of any device, by its token of either provider. `state`: a fate.

        `since_ms`: since the Unix epoch, default now; only APNs tells of it.
        """
        change: dict[str, object] = {"state": state}
        if since_ms is not None:
            change["since_ms"] = since_ms
        self._api.call("PUT", _token_path(token), change)

    def remove_state(self, token: str) -> None:
        """Take back what `set_state` said."""
        self._api.call("DELETE", _token_path(token))

    def set_condition(self, *, apns: str | None = None, fcm: str | None = None) -> None:
        """Take a provider out of order, or put it in order again (`ok`); one that is left out stays as it is.

        `apns`: `shutting-down`, `unavailable` or `internal-error`. `fcm`: `unavailable`, `internal-error` or `bad-gateway`.
        """
        wanted = {"apns": apns, "fcm": fcm}
        self._api.call("PUT", "service", {name: value for name, value in wanted.items() if value is not None})

    # What came

    def notifications(
        self,
        count: int | None = None,
        *,
        wait_s: float = WAIT_S_DEFAULT,
        token: str | None = None,
        topic: str | None = None,
        status: int | None = None,
        reason: str | None = None,
        apns_id: str | None = None,
        message_id: str | None = None,
        provider: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> list[Notification]:
        """All notifications that came and fit the filters, in their order.

        `token`: of FCM too; there its installation id stands for it. `message_id`: the id, or the whole name that FCM answers.
        `count`: wait, at most `wait_s` (60 or less), until so many have come; raises NotificationsMissingError otherwise. The
        list may be longer then; unpack it, or compare its length. Without `count` it is what has come by now. Warns with
        NotificationsDroppedWarning where the simulator could not keep them all.
        """
        filters = {
            "token": token,
            "topic": topic,
            "status": status,
            "reason": reason,
            "apns_id": apns_id,
            "message_id": message_id,
            "provider": provider,
            "since_ms": since_ms,
            "until_ms": until_ms,
        }
        query: dict[str, object] = {name: value for name, value in filters.items() if value is not None}
        waiting: dict[str, object] = {} if count is None else {"count": count, "wait_s": wait_s}
        answer = self._search({**query, **waiting}, CALL_TIMEOUT_S + (0 if count is None else wait_s))
        if answer["complete"] is False:
            raise NotificationsMissingError(self._missing(count, answer["arrived"], wait_s, query))
        if answer["dropped"]:
            kept = f"of {answer['total']} notifications the simulator kept the last {answer['capacity']}"
            warnings.warn(f"{kept}; see --journal-entries-max", NotificationsDroppedWarning, stacklevel=2)
        items = answer["items"]
        while answer["more"] and answer["items"]:
            answer = self._search({**query, "after": items[-1]["number"]}, CALL_TIMEOUT_S)
            items += answer["items"]
        return [notification_from(each) for each in items]

    def _search(self, query: Mapping[str, object], timeout_s: float) -> dict[str, Any]:
        asked = urlencode({"order": "oldest", "limit": NOTIFICATIONS_PAGE_MAX, **query})
        return self._api.call("GET", f"notifications?{asked}", timeout_s=timeout_s)

    def _missing(self, count: int | None, arrived: int, wait_s: float, filters: Mapping[str, object]) -> str:
        fitting = f" with {', '.join(f'{name}={value!r}' for name, value in filters.items())}" if filters else ""
        lines = [f"{arrived} of {count} notifications{fitting} came within {wait_s:g} s"]
        latest = self._search({"order": "newest", "limit": NOTIFICATIONS_SHOWN_MAX}, CALL_TIMEOUT_S)
        lines.append(f"In all there were {latest['total']}" + (", most recently:" if latest["items"] else "."))
        for each in map(notification_from, latest["items"]):
            lines.append(f"  {each.status} {each.reason or ''} topic={each.topic} token={each.token}")
        return "\n".join(lines)

    def ledger(self) -> Ledger:
        """What became of every device since the last reset: accepted once, more than once, rejected, never reached."""
        return ledger_from(self._api.call("GET", "ledger"))

    def stats(self) -> Stats:
        """Counts at the provider port since the last reset."""
        return record_from(Stats, self._api.call("GET", "stats")["counters"])

    def reset(self) -> None:
        """Begin anew: notifications, ledger, device states, subscriptions, clock, counters, settings. Connections stay open."""
        self._api.call("POST", "reset")

    # The process

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def check_alive(self) -> None:
        """Raise SimulatorDiedError if its process has ended by itself."""
        self._process.raise_if_died()

    def stop(self) -> None:
        """End the process. Safe to call twice."""
        self._process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _token_path(token: str) -> str:
    return f"tokens/{quote(token, safe='')}"
