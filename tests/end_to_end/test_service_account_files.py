"""Whose service account leads where, when several simulators share a state directory, stop, and are killed."""

import json
from pathlib import Path

import pytest

from pushrig_pytest import PushSimulatorFactory


def token_uri(path: Path) -> str:
    found = json.loads(path.read_bytes())["token_uri"]
    assert isinstance(found, str)
    return found


def test_each_simulator_on_a_state_directory_has_an_account_that_leads_to_itself(
    push_simulator_factory: PushSimulatorFactory,
) -> None:
    with push_simulator_factory() as first, push_simulator_factory() as second:
        assert first.project_id == second.project_id
        for simulator in (first, second):
            assert token_uri(simulator.service_account_file) == f"{simulator.url}/token"
        shared = first.service_account_file.with_name("service-account.json")
        assert token_uri(shared) == f"{second.url}/token"
        second.stop()
        assert first.service_account_file.exists()
        assert not second.service_account_file.exists()
    assert shared.exists()


@pytest.fixture
def killed(push_simulator_factory: PushSimulatorFactory) -> Path:
    """The account of a simulator that had no time to remove it."""
    with push_simulator_factory() as simulator:
        content = simulator.service_account_file.read_bytes()
    simulator.service_account_file.write_bytes(content)
    return simulator.service_account_file


def test_what_a_killed_simulator_left_goes_with_the_next_start(
    killed: Path, push_simulator_factory: PushSimulatorFactory
) -> None:
    with push_simulator_factory() as alive, push_simulator_factory() as other:
        assert not killed.exists() or killed in (alive.service_account_file, other.service_account_file)
        assert alive.service_account_file.exists()
