"""What the programs of these tests ask of the simulator's control API, as the tests of its users would."""

import json
import os
import urllib.request
from collections.abc import Mapping
from typing import Any


def control(method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Call `/api/v1/PATH` and return the answer's JSON."""
    request = urllib.request.Request(
        f"{os.environ['PUSHRIG_CONTROL_URL']}/api/v1/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


def registrations(count: int = 1, *, fate: str = "active", platform: str = "android") -> list[str]:
    """Fresh registration tokens of FCM."""
    body = {"provider": "fcm", "count": count, "fate": fate, "platform": platform}
    return [device["token"] for device in control("POST", "tokens", body)["devices"]]


def times_accepted(token: str) -> int:
    """How often the ledger has it that this device was reached; 2 stands for any more."""
    accepted: int = control("GET", f"tokens/{token}")["ledger"]["accepted"]
    return accepted


def await_deliveries(tokens: list[str]) -> None:
    """Wait until each of these registrations has got something: messages to topics arrive after their answer."""
    for token in tokens:
        assert control("GET", f"notifications?token={token}&status=200&count=1&wait_s=10&limit=0")["complete"]


def calls_to(service: str) -> int:
    """How many requests a service of Google's other than sending has had."""
    calls: int = control("GET", "stats")["counters"]["google_calls"].get(service, 0)
    return calls
