"""What can go wrong between a test and its simulator, as one tree.

PushSimulatorError              something is wrong with the simulator, or with what it was asked
├── SimulatorDiedError          its process ended by itself: exit code and standard error
└── ControlApiError             its control API refused a call: status, code and message
NotificationsMissingError       an AssertionError: fewer came than the test waits for
NotificationsDroppedWarning     a UserWarning: more came than the simulator keeps
"""


class PushSimulatorError(Exception):
    """Something is wrong with the simulator, or with what it was asked."""


class SimulatorDiedError(PushSimulatorError):
    """The simulator's process has ended by itself. `exit_code`: negative for a signal. `stderr`: the end of it."""

    def __init__(self, exit_code: int, stderr: str) -> None:
        super().__init__(
            f"the push simulator ended by itself with exit code {exit_code}. Its standard error:\n{stderr or '(empty)'}"
        )
        self.exit_code, self.stderr = exit_code, stderr


class ControlApiError(PushSimulatorError):
    """The simulator refused a call. `status`: of HTTP. `code`: one of the API's. The message says what to do."""

    def __init__(self, call: str, status: int, code: str, message: str) -> None:
        super().__init__(f"{call}: {message} ({status} {code})")
        self.status, self.code = status, code


class NotificationsMissingError(AssertionError):
    """Fewer notifications came than the test waits for."""


class NotificationsDroppedWarning(UserWarning):
    """More came than the simulator's journal holds, so that the oldest are missing (`--journal-entries-max`)."""
