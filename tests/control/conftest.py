"""The control plane that the tests of this directory talk to."""

from collections.abc import Iterator

import pytest

from simulator.control.security import ControlAccess
from tests.control.control_server import ControlServer


@pytest.fixture(scope="module")
def served() -> Iterator[ControlServer]:
    """One control plane for the tests of a module, listening on loopback without a token."""
    with ControlServer(ControlAccess()) as server:
        yield server


@pytest.fixture
def control(served: ControlServer) -> ControlServer:
    """The module's control plane, all of it as at its start but the numbers that never repeat."""
    reply = served.call("POST", "/api/v1/reset")
    assert reply.status == 200
    return served
