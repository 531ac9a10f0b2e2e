"""A control plane on a real socket, in a thread of its own, and a client of the standard library."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from simulator.apns.state import ApnsState
from simulator.clock import Clock
from simulator.control.app import create_app
from simulator.control.security import ControlAccess
from simulator.control.serve import serve_control
from simulator.control.view import OneProcess, View
from simulator.counters import Counters
from simulator.devices.token_space import Environment
from simulator.journal import Journal, Row
from simulator.ledger import Ledger
from simulator.registry import Registry
from simulator.rig import Rig
from tests.fcm.fcm_state import fcm_state
from wire.request import Head

Result = TypeVar("Result")
JOURNAL_ENTRIES = 8
REAL_NOW_S = 1_800_000_000.0
NOW_MS = int(REAL_NOW_S * 1000)
FOREIGN_TOKEN = "ab" * 32
STATE = {"state": "unregistered", "since_ms": 5_000}


def new_rig(journal_entries: int = JOURNAL_ENTRIES) -> Rig:
    """A rig whose real time stands still."""
    clock = Clock(lambda: REAL_NOW_S)
    registry = Registry(devices_max=4)
    apns = ApnsState(registry, lambda: clock.offset_s)
    return Rig(clock, registry, Ledger(), Journal(journal_entries), Counters(), apns, fcm_state(apns))


def row(
    at_ms: int = 1_000,
    status: int = 200,
    reason: str | None = None,
    token: bytes = b"ab12",
    apns_id: bytes = b"D917CA4B",
    topic: bytes = b"com.example.app",
    body: bytes = b'{"aps":{}}',
    path: bytes | None = None,
) -> Row:
    """One entry of the journal."""
    head = Head(((b":method", b"POST"), (b":path", b""), (b"apns-topic", topic), (b"apns-id", b"")))
    return (
        at_ms,
        "apns",
        Environment.SANDBOX,
        status,
        reason,
        token,
        apns_id,
        head,
        body,
        1,
        3,
        path or b"/3/device/" + token,
    )


def fcm_row(
    target: bytes,
    at_ms: int = 1_000,
    status: int = 200,
    reason: str | None = None,
    message_id: bytes = b"0:1750000000000000%ab",
    path: bytes = b"/v1/projects/p/messages:send",
    authorization: bytes = b"Bearer ya29.c.secret",
) -> Row:
    """One entry of the journal, of a message to FCM."""
    head = Head(((b":method", b"POST"), (b":path", b""), (b"authorization", authorization)))
    return at_ms, "fcm", None, status, reason, target, message_id, head, b'{"message":{}}', 1, 3, path


@dataclass(frozen=True)
class Reply:
    """What the control plane answered."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> dict[str, object]:
        """The JSON object in the body."""
        value = json.loads(self.content)
        assert isinstance(value, dict)
        return value

    @property
    def problem(self) -> tuple[int, str]:
        """Status and error code."""
        error = self.json["error"]
        assert isinstance(error, dict) and error["message"]
        return self.status, str(error["code"])

    @property
    def message(self) -> str:
        """The error's message."""
        error = self.json["error"]
        assert isinstance(error, dict)
        return str(error["message"])


class ControlServer:
    """A served control plane. `rig` belongs to its event loop: reach it with `on_loop`. `view_of`: as `create_app` takes it."""

    def __init__(
        self,
        access: ControlAccess,
        trouble: Callable[[], str | None] = lambda: None,
        view_of: Callable[[Rig], View] = OneProcess,
        journal_entries: int = JOURNAL_ENTRIES,
    ) -> None:
        self.rig = new_rig(journal_entries)
        self.app = create_app(self.rig, access, trouble, view_of(self.rig))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._shutdown = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._shutdown.set)
            self._thread.join()
        self._loop.close()

    def stop_within(self, timeout_s: float) -> bool:
        """Shut down; whether it did in time."""
        self._loop.call_soon_threadsafe(self._shutdown.set)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._loop.run_until_complete(serve_control(self.app, self._listening, self._shutdown.wait))

    def on_loop(self, function: Callable[[], Result]) -> Result:
        """Call a function on the event loop and return its result."""
        future: Future[Result] = Future()
        self._loop.call_soon_threadsafe(lambda: future.set_result(function()))
        return future.result(timeout=5)

    def record(self, *rows: Row) -> None:
        """Journal these rows as the listener would: appended, then settled once."""

        def append() -> None:
            for each in rows:
                self.rig.journal.append(each)
            self.rig.journal.settle(len(rows))

        self.on_loop(append)

    def connect(self) -> http.client.HTTPConnection:
        """A connection for several requests."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None, raw: bytes = b""
    ) -> Reply:
        """One request. `body`: sent as JSON with its content type; `raw`: sent as it is."""
        sent_headers = dict(headers or {})
        content = raw
        if body is not None:
            content = json.dumps(body).encode()
            sent_headers.setdefault("Content-Type", "application/json")
        connection = self.connect()
        try:
            connection.request(method, path, content or None, sent_headers)
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()


def get(control: ControlServer, path: str) -> Any:
    """The JSON of a GET that succeeds."""
    reply = control.call("GET", path)
    assert reply.status == 200, reply.content
    return reply.json
