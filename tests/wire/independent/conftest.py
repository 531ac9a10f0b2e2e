"""A simulator for other people's clients, over TLS and in clear text."""

import pytest

from pushrig_pytest import PushSimulator, PushSimulatorFactory


@pytest.fixture(scope="module")
def simulator(push_simulator_factory: PushSimulatorFactory) -> PushSimulator:
    """One for all tests of a file."""
    return push_simulator_factory("--cleartext-port", "0")
