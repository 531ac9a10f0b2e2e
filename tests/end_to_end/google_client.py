"""Clients of Google at a port of the test's own process: raw bytes over TLS or without, and the standard library's client."""

import asyncio
import http.client
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from simulator.credentials import Credentials
from simulator.devices.fates import Fate
from simulator.devices.registration_space import Platform, SealedRegistration, kind_of_registration, seal_registration
from simulator.listener import ProviderPlane
from simulator.rig import Rig

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
SEED = 7
ENDED = b"\r\n\r\n"


def token_of(index: int) -> str:
    """The token of a registration of the population SEED."""
    return seal_registration(SealedRegistration(kind_of_registration(Platform.ANDROID, Fate.ACTIVE), SEED, index))


def send_path(rig: Rig) -> str:
    return f"/v1/projects/{rig.fcm.project.project_id}/messages:send"


def bearer(rig: Rig) -> str:
    """A credential that the simulator has just given out."""
    return f"Bearer {rig.fcm.access.mint(SCOPE, rig.clock.now_s())}"


def message(target: str, kind: str = "token") -> bytes:
    return json.dumps({"message": {kind: target, "notification": {"title": "Hello"}}}).encode()


def send_bytes(rig: Rig, body: bytes, *fields: str) -> bytes:
    """A send as HTTP/1.1 has it."""
    lines = [f"POST {send_path(rig)} HTTP/1.1", "host: fcm.googleapis.com", f"authorization: {bearer(rig)}"]
    return "\r\n".join([*lines, f"content-length: {len(body)}", *fields, "", ""]).encode() + body


@dataclass
class RawClient:
    """One connection. `alpn`: what was agreed upon."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def alpn(self) -> str | None:
        tls: ssl.SSLObject | None = self.writer.get_extra_info("ssl_object")
        return None if tls is None else tls.selected_alpn_protocol()

    async def ask(self, data: bytes) -> tuple[int, bytes]:
        """Send, and read one answer of HTTP/1.1: its status and its body."""
        self.writer.write(data)
        return await self.answer()

    async def answer(self) -> tuple[int, bytes]:
        head = (await self.reader.readuntil(ENDED)).decode("latin-1").lower()
        status = int(head.split()[1])
        if status == 100:
            return status, b""
        length = head.partition("content-length: ")[2].split()[0]
        return status, await self.reader.readexactly(int(length))


@asynccontextmanager
async def raw_client(
    credentials: Credentials,
    port: int,
    *,
    server_name: str = "localhost",
    alpn: Sequence[str] = (),
    tls: bool = True,
    certificate: Path | None = None,
) -> AsyncIterator[RawClient]:
    """A connection. `alpn`: what is offered. `server_name`: by SNI. `certificate`: of the client, with its key."""
    context = None
    if tls:
        context = ssl.create_default_context(cafile=credentials.ca_file)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if certificate is not None:
            context.load_cert_chain(certificate)
    opened = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=server_name if tls else None)
    client = RawClient(*opened)
    try:
        yield client
    finally:
        client.writer.transport.abort()


def standard_client(credentials: Credentials, port: int) -> http.client.HTTPSConnection:
    """The standard library's, for a thread of its own."""
    context = ssl.create_default_context(cafile=credentials.ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return http.client.HTTPSConnection("localhost", port, context=context, timeout=10)


async def until(plane: ProviderPlane, count: int) -> None:
    """Let the event loop turn until the simulator has so many connections open."""
    while len(plane.open) != count:  # noqa: ASYNC110 - it is this loop's own turns that make it so
        await asyncio.sleep(0)
