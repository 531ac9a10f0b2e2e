"""The simulator's control API, as far as load tests call it. Plain HTTP from the standard library, one connection a call."""

import http.client
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from loadtest.errors import ControlPlaneError

TIMEOUT_S = 30.0
MARKS_MAX = 1 << 20


class ListedIndices(msgspec.Struct, frozen=True):
    """The lowest indices of a kind. `truncated`: there are more than are listed."""

    indices: list[int]
    truncated: bool


class PopulationLedger(msgspec.Struct, frozen=True):
    """What became of one population in one round: `accepted_once + accepted_more + rejected + never` is `count`.

    `count` and `never` are None where the population was not declared. `outside`: indices answered outside the declared
    range. `answers_by_reason`: rejections by reason, each answer counted.
    """

    seed: int
    start: int | None
    count: int | None
    accepted_once: int
    accepted_more: int
    rejected: int
    never: int | None
    outside: int
    answers_by_reason: dict[str, int]
    accepted_more_indices: ListedIndices
    rejected_indices: ListedIndices
    never_indices: ListedIndices


class LedgerView(msgspec.Struct, frozen=True):
    """All populations asked for, in one round. `untracked`: answers that the ledger had no room for."""

    round: int
    running: bool
    untracked: int
    populations: list[PopulationLedger]


class CounterStats(msgspec.Struct, frozen=True):
    """Counts of the provider port since the start or the last reset. `google_calls`: to Google's hosts but sends, by call."""

    notifications: int
    accepted: int
    rejected: int
    rejected_by_reason: dict[str, int]
    connections_total: int
    bytes_in: int
    bytes_out: int
    google_calls: dict[str, int] = {}


class Stats(msgspec.Struct, frozen=True):
    """The simulator at a glance."""

    counters: CounterStats


class Observing(msgspec.Struct, frozen=True):
    """How many observations there are. `missed`: found no room. `now_s`: as their `at_s` counts."""

    kept: int
    missed: int
    now_s: float


class ActiveFault(msgspec.Struct, frozen=True):
    """A fault at work. `line`: as `pushrig serve --fault` takes it."""

    id: int
    line: str


class Rate(msgspec.Struct, frozen=True):
    """One of the providers' rates: so many in so many seconds. Those that limit otherwise have no count."""

    count: int | None = None
    per_s: float | None = None


class _Faults(msgspec.Struct, frozen=True):
    faults: list[ActiveFault]


class _RoundStarted(msgspec.Struct, frozen=True):
    round: int


class _Problem(msgspec.Struct, frozen=True):
    message: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Problem = _Problem()


class _Declaration(msgspec.Struct, frozen=True):
    seed: int
    count: int
    start: int


class _ScenarioPlayed(msgspec.Struct, frozen=True):
    problem: str | None = None


class _Nothing(msgspec.Struct, frozen=True):
    """An answer of which nothing is needed."""


Answered = TypeVar("Answered", bound=msgspec.Struct)


class ControlClient:
    """One control plane. `url`: such as `http://localhost:8080`. All calls raise ControlPlaneError.

    `bearer_token`: where the control plane asks for one.
    """

    def __init__(self, url: str, bearer_token: str | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ControlPlaneError(url, 0, f"this is no URL ({error})") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ControlPlaneError(url, 0, "the control plane's URL must be http://HOST[:PORT]")
        self.url = url.rstrip("/")
        self._secure, self._host, self._port = parts.scheme == "https", host, port
        self._headers = {} if bearer_token is None else {"authorization": f"Bearer {bearer_token}"}
        self._timeout_s = timeout_s

    def declare(self, seed: int, count: int, start: int = 0) -> None:
        """Say which devices are to be reached, so that the ledger can tell which never were."""
        self._call("POST", "populations", _Nothing, _Declaration(seed, count, start))

    def ledger(self, seed: int | None = None, number: int | None = None) -> LedgerView:
        """What became of every device; of one population only with `seed`. `number`: of the round, default the running."""
        asked = [f"{name}={value}" for name, value in (("seed", seed), ("round", number)) if value is not None]
        return self._call("GET", "ledger" + ("?" + "&".join(asked) if asked else ""), LedgerView)

    def marks(self, seed: int, start: int, count: int) -> bytes:
        """Devices of the running round one by one, a byte each; at most `MARKS_MAX`. See `ledger_marks`."""
        return self._answer("GET", f"ledger/marks?seed={seed}&start={start}&count={count}")

    def start_round(self) -> int:
        """Begin a new round of the ledger, and return its number."""
        return self._call("POST", "ledger/rounds", _RoundStarted).round

    def stats(self) -> Stats:
        """The counters of the provider port."""
        return self._call("GET", "stats", Stats)

    def faults(self) -> list[ActiveFault]:
        """The faults at work now."""
        return self._call("GET", "faults", _Faults).faults

    def rates(self) -> dict[str, Rate]:
        """The providers' rates that are kept, by name."""
        content = self._answer("GET", "rates")
        try:
            rates = msgspec.json.decode(content, type=dict[str, Rate | None])
        except msgspec.DecodeError as error:
            raise ControlPlaneError(f"GET {self.url}/api/v1/rates", 200, str(error)) from None
        return {name: rate for name, rate in rates.items() if rate is not None}

    def observing(self) -> Observing:
        """How far observing is."""
        return self._call("GET", "observing", Observing)

    def observations(self, after: int, limit: int) -> bytes:
        """The observations behind number `after`, at most `limit`: JSON lines, oldest first."""
        return self._answer("GET", f"observations?after={after}&limit={limit}")

    def begin_run(self) -> None:
        """Begin the next run of the scenario that is played."""
        self._call("POST", "scenario/runs", _Nothing)

    def scenario_problem(self) -> str | None:
        """What kept a phase of the scenario that is played from being as its file says."""
        return self._call("GET", "scenario", _ScenarioPlayed).problem

    def reset(self) -> None:
        """Forget ledger, journal and counters."""
        self._call("POST", "reset", _Nothing)

    def _call(self, method: str, path: str, answered: type[Answered], body: msgspec.Struct | None = None) -> Answered:
        content = self._answer(method, path, body)
        try:
            return msgspec.json.decode(content or b"{}", type=answered)
        except msgspec.DecodeError as error:
            call = f"{method} {self.url}/api/v1/{path}"
            raise ControlPlaneError(call, 200, f"the answer is not what a simulator says ({error})") from None

    def _answer(self, method: str, path: str, body: msgspec.Struct | None = None) -> bytes:
        call = f"{method} {self.url}/api/v1/{path}"
        connection_class = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = connection_class(self._host, self._port, timeout=self._timeout_s)
        headers = dict(self._headers)
        if body is not None:
            headers["content-type"] = "application/json"
        try:
            connection.request(method, f"/api/v1/{path}", msgspec.json.encode(body) if body else None, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ControlPlaneError(call, 0, str(error) or type(error).__name__) from None
        finally:
            connection.close()
        if answer.status >= 400:
            raise ControlPlaneError(call, answer.status, _message(content))
        return content


def _message(content: bytes) -> str:
    try:
        said = msgspec.json.decode(content, type=_Refusal).error.message
    except msgspec.DecodeError:
        said = ""
    return said or content[:200].decode(errors="replace")
