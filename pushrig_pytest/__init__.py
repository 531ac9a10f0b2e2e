"""Tests against a fake APNs and FCM: pytest's plugin of pushrig. Installed with pushrig, it is there; nothing to import.

    def test_a_sale_is_announced(push_simulator):
        token = push_simulator.token()
        announce_sale(url=push_simulator.url, ca_file=push_simulator.ca_file, key_file=push_simulator.key_file, to=[token])
        [notification] = push_simulator.notifications(count=1)
        assert notification.payload["aps"]["alert"] == "20 % off"

    def test_an_app_that_has_gone_is_forgotten(push_simulator):
        gone = push_simulator.token(provider="fcm", fate="unregistered")
        announce_sale(url=push_simulator.url, account_file=push_simulator.service_account_file, to=[gone])
        [notification] = push_simulator.notifications(count=1, provider="fcm")
        assert notification.reason == "UNREGISTERED"

Fixtures:

- `push_simulator` (function): a simulator that has heard of nothing yet. All tests share one process; before each of them
  its notifications, ledger, device states, subscriptions, clock, counters and settings begin anew, which takes milliseconds.
- `push_simulator_process` (session): the same handle for fixtures of wider scope that need its URL, key or CA. What is set
  through it is forgotten before the next test that uses `push_simulator`.
- `push_simulator_factory` (session): further simulators, for other options or for several at once. They share CA and
  key. `with push_simulator_factory("--environment", "sandbox") as sandbox: ...`; without `with`, they end with the session.

Options of `pushrig serve` for all of them: `pushrig_args` in pytest's configuration, then `--pushrig-arg=--penalty=on` on
the command line, as often as needed. With pytest-xdist each worker has its own simulator.

A simulator is a process of its own, on free ports and with a state directory under pytest's temporary directory. It ends
when this process does, however that ends, since it holds the other end of a pipe. Its standard error is shown when it dies.

All calls block and may come from any thread. In a coroutine on whose loop the sender runs too, wait in another thread:
`await asyncio.to_thread(push_simulator.notifications, count=1)`.

This package takes the standard library and pytest, and never imports the simulator: a project under test may well have a
`sender/` or a `wire.py` of its own.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pushrig_pytest.errors import (
    ControlApiError,
    NotificationsDroppedWarning,
    NotificationsMissingError,
    PushSimulatorError,
    SimulatorDiedError,
)
from pushrig_pytest.handle import FcmSettings, PushSimulator, SimulatorClock
from pushrig_pytest.process import SimulatorProcess
from pushrig_pytest.records import Device, FcmProject, Ledger, Notification, PopulationLedger, Stats

__all__ = [
    "ControlApiError",
    "Device",
    "FcmProject",
    "FcmSettings",
    "Ledger",
    "Notification",
    "NotificationsDroppedWarning",
    "NotificationsMissingError",
    "PopulationLedger",
    "PushSimulator",
    "PushSimulatorError",
    "PushSimulatorFactory",
    "SimulatorClock",
    "SimulatorDiedError",
    "Stats",
]


class PushSimulatorFactory:
    """Starts simulators that share a state directory, and stops those that still run at the end.

    `arguments`: of `pushrig serve`, for all of them.
    """

    def __init__(self, directory: Path, arguments: Sequence[str]) -> None:
        self._directory = directory
        self._arguments = tuple(arguments)
        self._started: list[PushSimulator] = []

    def __call__(self, *arguments: str) -> PushSimulator:
        """Start one, with further arguments of `pushrig serve`. Raises SimulatorDiedError when these will not do."""
        simulator = PushSimulator(SimulatorProcess([*self._arguments, *arguments], self._directory))
        self._started.append(simulator)
        return simulator

    def stop(self) -> None:
        """Stop them all."""
        for simulator in self._started:
            simulator.stop()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plugin's options."""
    group = parser.getgroup("pushrig", "pushrig: a fake APNs and FCM")
    group.addoption(
        "--pushrig-arg",
        action="append",
        default=[],
        metavar="ARG",
        help="argument of `pushrig serve` for the simulator, as in --pushrig-arg=--penalty=on; may be repeated",
    )
    parser.addini("pushrig_args", "arguments of `pushrig serve` for the simulator", type="args", default=[])


@pytest.fixture(scope="session")
def push_simulator_factory(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PushSimulatorFactory]:
    """Starts further simulators: `push_simulator_factory("--environment", "sandbox")`."""
    arguments = [*pytestconfig.getini("pushrig_args"), *pytestconfig.getoption("--pushrig-arg")]
    factory = PushSimulatorFactory(tmp_path_factory.mktemp("pushrig"), arguments)
    yield factory
    factory.stop()


@pytest.fixture(scope="session")
def push_simulator_process(push_simulator_factory: PushSimulatorFactory) -> PushSimulator:
    """The session's simulator, for fixtures of wider scope than a test; tests take `push_simulator`."""
    return push_simulator_factory()


@pytest.fixture
def push_simulator(push_simulator_process: PushSimulator) -> Iterator[PushSimulator]:
    """A fake APNs and FCM that has heard of nothing yet: `.url`, `.ca_file`, `.key_file`, `.token()`, `.notifications()`, …"""
    push_simulator_process.reset()
    yield push_simulator_process
    push_simulator_process.check_alive()
