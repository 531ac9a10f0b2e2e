"""Calls to a simulator's control API, over plain HTTP. One connection a call, so that any thread may call."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pushrig_pytest.errors import ControlApiError, PushSimulatorError
from pushrig_pytest.process import SimulatorProcess

CALL_TIMEOUT_S = 30.0
DEATH_NOTICED_S = 1.0  # within which a process that has just dropped its connections is seen to have ended


class ControlApi:
    """The control API of one process."""

    def __init__(self, process: SimulatorProcess) -> None:
        self._process = process
        self._authority = urlsplit(str(process.running["control_url"]))

    def call(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, timeout_s: float = CALL_TIMEOUT_S
    ) -> dict[str, Any]:
        """Returns the answer's JSON, whose shape is the API's. `path`: under `/api/v1/`.

        Raises ControlApiError for a refusal, SimulatorDiedError when the process has ended, PushSimulatorError when it
        does not answer.
        """
        from http.client import HTTPConnection, HTTPException  # takes a while, and not every run of pytest gets here

        connection = HTTPConnection(self._authority.hostname or "", self._authority.port, timeout=timeout_s)
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            connection.request(method, f"/api/v1/{path}", content, headers)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, HTTPException, ValueError) as error:
            self._process.raise_if_died(wait_s=DEATH_NOTICED_S)
            message = f"{method} {path}: the simulator's control plane does not answer ({error!r})"
            raise PushSimulatorError(message) from error
        finally:
            connection.close()
        if response.status >= 400:
            problem = answer["error"]
            raise ControlApiError(f"{method} {path}", response.status, problem["code"], problem["message"])
        return answer
