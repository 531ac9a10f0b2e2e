"""`aioapns` from PyPI as it is, but for where it connects: host and port are class attributes there and no options."""

import ssl
from pathlib import Path

from aioapns import APNs
from aioapns.connection import APNsProductionClientProtocol

from pushrig_pytest import PushSimulator


def aioapns_client(simulator: PushSimulator, *, key_id: str | None = None) -> APNs:
    """A client of the simulator with its key. Made inside a running event loop."""
    client = APNs(
        key=simulator.key_file.read_text(),
        key_id=simulator.key_id if key_id is None else key_id,
        team_id=simulator.team_id,
        topic=simulator.topic,
        ssl_context=ssl.create_default_context(cafile=simulator.ca_file),
    )
    return _pointed(client, simulator)


def aioapns_client_with_certificate(simulator: PushSimulator, certificate_file: Path) -> APNs:
    """A client with a client certificate. `certificate_file`: it and its private key (PEM)."""
    context = ssl.create_default_context(cafile=simulator.ca_file)
    return _pointed(APNs(client_cert=str(certificate_file), topic=simulator.topic, ssl_context=context), simulator)


def _pointed(client: APNs, simulator: PushSimulator) -> APNs:
    class SimulatorProtocol(APNsProductionClientProtocol):
        APNS_SERVER = simulator.host
        APNS_PORT = simulator.port

    client.pool.protocol_class = SimulatorProtocol
    return client
