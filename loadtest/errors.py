"""What can go wrong around a load test. What the provider answers is a result, never an exception.

LoadTestError
├── LoadSettingsError     an option cannot be used: nothing was sent
├── RigStartError         a simulator of our own did not come up
├── ControlPlaneError     the simulator's control plane was not reached, or refused a call
├── LoadProcessError      the process that makes the load ended without a result
├── ScenarioUnknownError  there is no such scenario, or its file cannot be read
└── ResultsDirectoryError a results directory cannot be read
"""

from pathlib import Path


class LoadTestError(Exception):
    """Any error that the user of a load test can act upon; the message says what was wrong, where, and what to do."""


class LoadSettingsError(LoadTestError):
    """An option cannot be used. `option`: its flag."""

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(f"{option}: {problem}")
        self.option, self.problem = option, problem


class RigStartError(LoadTestError):
    """`pushrig serve` ended, or was silent for too long. `status`: its exit status; `said`: what it printed."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"the simulator did not start (exit status {status}): {said or 'it printed nothing'}")
        self.status, self.said = status, said


class ControlPlaneError(LoadTestError):
    """A call of the control API failed. `status`: the HTTP status, 0 when there was no answer."""

    def __init__(self, call: str, status: int, said: str) -> None:
        what = f"was answered with {status}" if status else "got no answer"
        super().__init__(f"{call} {what}: {said}")
        self.call, self.status, self.said = call, status, said


class LoadProcessError(LoadTestError):
    """Locust ended without leaving a result. `status`: its exit status."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"locust ended with exit status {status}: {said or 'it printed nothing'}")
        self.status, self.said = status, said


class ScenarioUnknownError(LoadTestError):
    """There is no such scenario, or its file has problems; the message tells which."""


class ResultsDirectoryError(LoadTestError):
    """A file of a results directory is missing or cannot be read. `file`: which."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(f"{file} {problem}")
        self.file, self.problem = file, problem
