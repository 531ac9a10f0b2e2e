"""Reads scenarios from TOML, and tells all that is wrong with one, each with its line."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path as FilePath
from typing import Any, Final, TypeVar

import msgspec

from simulator.devices.draws import parse_fates
from simulator.devices.fates import Fate, Provider
from simulator.errors import ConfigurationError, SettingsError
from simulator.faults.engine import FAULTS_MAX, Planned
from simulator.faults.fault import RequestFault
from simulator.faults.fault_text import read_fault
from simulator.faults.line_fault import DoorFault
from simulator.faults.scenario import PATTERNS, PHASES_MAX, Expectations, Phase, Population, Scenario
from simulator.faults.toml_lines import Path, toml_lines

SUFFIX: Final = ".toml"
FILE_BYTES_MAX: Final = 262_144
PROBLEMS_SHOWN_MAX: Final = 20

SERVE_SETTINGS: Final = frozenset(
    {
        "auth",
        "penalty",
        "provider_token_update_interval_s",
        "provider_token_update_scope",
        "rates",
        "unknown_tokens",
    }
)
"""What a scenario may set: how the providers behave. Ports and places are whoever's who runs it."""

Part = TypeVar("Part", bound=msgspec.Struct)

_SHIPPED: Final = files("simulator.faults") / "scenarios"
_LINE_OF_TOMLLIB = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)\Z")
_AT = re.compile(r" - at `\$(?P<path>[^`]*)`\Z")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<number>\d+)\]")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong. `line`: of the file, from 1; None: the whole of it."""

    line: int | None
    what: str


class ScenarioError(ConfigurationError):
    """A scenario cannot be played. `where`: the file. `problems`: all that is wrong with it, by line."""

    def __init__(self, where: str, problems: tuple[Problem, ...]) -> None:
        shown = [_problem_text(where, each) for each in problems[:PROBLEMS_SHOWN_MAX]]
        if len(problems) > PROBLEMS_SHOWN_MAX:
            shown.append(f"{where}: {len(problems) - PROBLEMS_SHOWN_MAX} more")
        super().__init__("\n".join(shown))
        self.where, self.problems = where, problems


def _problem_text(where: str, problem: Problem) -> str:
    return f"{where}: {problem.what}" if problem.line is None else f"{where}:{problem.line}: {problem.what}"


@dataclass(frozen=True, slots=True)
class ReadScenario:
    """A scenario that can be played. `faults`: of each phase, in order."""

    scenario: Scenario
    faults: tuple[tuple[Planned, ...], ...]


def shipped_names() -> tuple[str, ...]:
    """The scenarios that come with pushrig, by name."""
    return tuple(sorted(each.name.removesuffix(SUFFIX) for each in _SHIPPED.iterdir() if each.name.endswith(SUFFIX)))


def find_scenario(name_or_file: str) -> ReadScenario:
    """A scenario that comes with pushrig, by its name, or one from a file. Raises ScenarioError."""
    if "/" in name_or_file or "\\" in name_or_file or name_or_file.endswith(SUFFIX):
        return read_scenario_file(FilePath(name_or_file))
    names = shipped_names()
    if name_or_file not in names:
        close = difflib.get_close_matches(name_or_file, names, n=1)
        remedy = f"did you mean {close[0]}?" if close else "`pushrig scenarios` lists them."
        what = f"no scenario is called so; {remedy} A file needs a name that ends in {SUFFIX}"
        raise ScenarioError(name_or_file[:80], (Problem(None, what),))
    return read_scenario(_SHIPPED.joinpath(name_or_file + SUFFIX).read_text(encoding="utf-8"), name_or_file + SUFFIX)


def read_scenario_file(path: FilePath) -> ReadScenario:
    """A scenario from a file. Raises ScenarioError."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise ScenarioError(str(path), (Problem(None, f"cannot be read ({error.strerror})"),)) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ScenarioError(str(path), (Problem(line, "is not UTF-8 text"),)) from error
    if len(content) > FILE_BYTES_MAX:
        raise ScenarioError(str(path), (Problem(None, f"is larger than {FILE_BYTES_MAX:,} bytes"),))
    return read_scenario(text, str(path))


def read_scenario(text: str, where: str) -> ReadScenario:
    """A scenario from its text. `where`: the file, for messages. Raises ScenarioError with all that is wrong."""
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError; an endless number; arrays too deep
        found = _LINE_OF_TOMLLIB.search(str(error))
        line = None
        if found is not None:
            line = int(found["line"]) if found["line"] else text.rstrip("\n").count("\n") + 1
        what = _LINE_OF_TOMLLIB.sub("", str(error))
        raise ScenarioError(where, (Problem(line, f"is no TOML: {what}"),)) from error
    reader = _Reader(toml_lines(text))
    read = reader.read(content)
    if read is None:
        raise ScenarioError(where, tuple(sorted(reader.problems, key=lambda each: (each.line or 0, each.what))))
    return read


class _Reader:
    """Goes through the parts of one file and gathers what is wrong with each."""

    def __init__(self, lines: Mapping[Path, int]) -> None:
        self.problems: list[Problem] = []
        self._lines = lines

    def read(self, content: dict[str, object]) -> ReadScenario | None:
        """The scenario; None when there are problems."""
        plain = {name: value for name, value in content.items() if name not in ("population", "phase", "expect")}
        values = self._fields(Scenario, plain, (), passed_over=("population", "phase", "expect"))
        population = self._table(Population, content.get("population"), ("population",))
        if "population" not in content:
            self._wrong((), "there is no table [population]; it says how many devices there are")
        expect = self._table(Expectations, content.get("expect", {}), ("expect",))
        tables = content.get("phase", [])
        if not isinstance(tables, list):
            self._wrong(("phase",), "write [[phase]], once for each phase")
            tables = []
        if len(tables) > PHASES_MAX:
            self._wrong(("phase", PHASES_MAX), f"there are more than {PHASES_MAX} phases; leave some out")
        phases = [self._table(Phase, table, ("phase", number)) for number, table in enumerate(tables)]
        written = [self._faults(number, phase) for number, phase in enumerate(phases) if phase is not None]
        if self.problems or population is None or expect is None:
            return None
        scenario = Scenario(
            **values, population=population, phase=tuple(each for each in phases if each is not None), expect=expect
        )
        self._check(scenario)
        for number, planned in enumerate(written):
            self._check_ports(number, scenario.phase[number], planned)
        for run in range(1, scenario.runs + 1):
            self._check_room(scenario, run)
        faults = tuple(self._placed(scenario, number, planned) for number, planned in enumerate(written))
        return None if self.problems else ReadScenario(scenario, faults)

    def _wrong(self, path: Path, what: str) -> None:
        """Something is wrong at a path, or at the nearest place above it that stands in the file."""
        while path and path not in self._lines:
            path = path[:-1]
        problem = Problem(self._lines.get(path), what)
        if problem not in self.problems:
            self.problems.append(problem)

    def _table(self, form: type[Part], table: object, path: Path) -> Part | None:
        if table is None:
            return None
        if not isinstance(table, dict):
            self._wrong(path, f"write a table [{path[0]}]")
            return None
        before = len(self.problems)
        values = self._fields(form, table, path)
        return form(**values) if len(self.problems) == before else None

    def _fields(
        self, form: type[msgspec.Struct], table: Mapping[str, object], path: Path, passed_over: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """Each field that the table gives, converted."""
        fields = {each.name: each for each in msgspec.structs.fields(form)}
        values = {}
        for name, given in table.items():
            field = fields.get(name)
            if field is None:
                close = difflib.get_close_matches(name, fields, n=1)
                remedy = f"did you mean {close[0]}?" if close else f"there are: {', '.join(fields)}"
                self._wrong((*path, name), f"there is no {name!r} here; {remedy}")
                continue
            try:
                values[name] = msgspec.convert(given, field.type, strict=True)
            except msgspec.ValidationError as error:
                self._unfit((*path, name), error)
        for name, field in fields.items():
            if field.required and name not in table and name not in passed_over:
                self._wrong(path, f"{name!r} is missing")
        return values

    def _unfit(self, path: Path, error: msgspec.ValidationError) -> None:
        text = str(error)
        within = _AT.search(text)
        steps: Path = ()
        if within is not None:
            steps = tuple(
                int(each["number"]) if each["number"] else each["name"] for each in _STEP.finditer(within["path"])
            )
        what = next((remedy for pattern, remedy in PATTERNS.items() if repr(pattern) in text), None)
        if what is None:
            what = _AT.sub("", text).replace("`", "")
        self._wrong((*path, *steps), f"{path[-1]}: {what[0].lower()}{what[1:]}")

    # What no field can tell alone

    def _check(self, scenario: Scenario) -> None:
        providers = tuple(Provider(each) for each in scenario.providers)
        if len(set(providers)) < len(providers):
            self._wrong(("providers",), "a provider is named twice")
        for provider in providers:
            known = {name: share for name, share in scenario.population.fates.items() if _may_have(name, provider)}
            try:
                parse_fates([f"{name}={share:f}" for name, share in known.items()], (provider,))
            except ValueError as error:
                self._wrong(("population", "fates"), str(error))
        for name in scenario.population.fates:
            if not any(_may_have(name, provider) for provider in providers):
                self._wrong(
                    ("population", "fates", name), f"tokens of {' and '.join(scenario.providers)} know no fate {name}"
                )
        if scenario.population.ios and "fcm" not in scenario.providers:
            self._wrong(
                ("population", "ios"), "only registrations of FCM sit on another token; add fcm to the providers"
            )
        for name, value in scenario.serve.items():
            self._check_setting(name, value)
        for number, phase in enumerate(scenario.phase):
            self._check_phase(scenario, number, phase)

    def _check_setting(self, name: str, value: str | int) -> None:
        from simulator.settings import merge  # which itself comes here, for the scenario that it is given

        if name not in SERVE_SETTINGS:
            what = f"a scenario cannot set {name!r}; it can set {', '.join(sorted(SERVE_SETTINGS))}"
            self._wrong(("serve", name), what)
            return
        try:
            if name == "rates" and value not in ("real", "off"):
                raise SettingsError(name, value, "give real or off")
            merge({name: value})
        except SettingsError as error:
            self._wrong(("serve", name), f"{name}: {error.remedy}")

    def _check_phase(self, scenario: Scenario, number: int, phase: Phase) -> None:
        path = ("phase", number)
        if phase.name in [each.name for each in scenario.phase[:number]]:
            self._wrong((*path, "name"), f"there is a phase {phase.name} above; give each a name of its own")
        if phase.run is not None and phase.run > scenario.runs:
            self._wrong((*path, "run"), f"there is no run {phase.run}; `runs` is {scenario.runs}")
        if phase.from_s is not None and phase.from_notifications is not None:
            self._wrong((*path, "from_notifications"), "give `from_s` or `from_notifications`, not both")
        if phase.wait_s and phase.from_notifications is None:
            self._wrong((*path, "wait_s"), "`wait_s` goes with `from_notifications`; give `from_s` alone for a time")
        if phase.for_s is not None and phase.for_notifications is not None:
            self._wrong((*path, "for_notifications"), "give `for_s` or `for_notifications`, not both")
        if not phase.faults and not phase.advance_s:
            self._wrong(path, "nothing happens in this phase: give `faults`, or `advance_s`")

    # Faults

    def _faults(self, number: int, phase: Phase) -> list[Planned]:
        """The faults of a phase, as they are written."""
        planned = []
        for place, text in enumerate(phase.faults):
            try:
                fault = read_fault(text)
                if fault.contradiction is not None:
                    raise ValueError(fault.contradiction)
                planned.append(fault)
            except ValueError as error:
                self._wrong(("phase", number, "faults", place), str(error))
        return planned

    def _check_ports(self, number: int, phase: Phase, written: list[Planned]) -> None:
        """Where ports are closed before anybody has come nobody comes, and the phase never ends."""
        from_the_start = phase.from_notifications is None and not phase.from_s
        ends = next((name for name in ("for_s", "for_notifications") if getattr(phase, name) is not None), None)
        for place, planned in enumerate(written):
            fault = planned.fault
            if from_the_start and ends and isinstance(fault, DoorFault) and fault.refuses and not planned.match.from_s:
                what = (
                    f"{fault.name} closes the ports before anybody has come, so that `{ends}` never begins to count; begin the "
                    "phase later, with `from_s` or `from_notifications`"
                )
                self._wrong(("phase", number, "faults", place), what)

    def _check_room(self, scenario: Scenario, run: int) -> None:
        """Faults of phases that last to the end of a run are at work together."""
        together = 0
        for number, phase in enumerate(scenario.phase):
            if phase.run in (None, run) and phase.for_s is None and phase.for_notifications is None:
                together += len(phase.faults)
                if together > FAULTS_MAX:
                    what = f"no more than {FAULTS_MAX} faults can be at work at a time; leave some out, or end phases above"
                    self._wrong(("phase", number), what)
                    return

    def _placed(self, scenario: Scenario, number: int, written: list[Planned]) -> tuple[Planned, ...]:
        """The same at their place: each draws by that and the scenario's seed, unless it names a seed of its own."""
        placed = []
        for place, fault in enumerate(written):
            provider = fault.match.provider
            if provider is None and isinstance(fault.fault, RequestFault) and fault.fault.provider is not None:
                provider = fault.fault.provider.value
            if provider is not None and provider not in scenario.providers:
                what = f"this is for {provider} alone, which is not among the providers of the scenario"
                self._wrong(("phase", number, "faults", place), what)
            seed = fault.match.seed
            if seed is None:
                seed = _seed_of(scenario.seed, number, place)
            placed.append(fault._replace(match=msgspec.structs.replace(fault.match, seed=seed)))
        return tuple(placed)


def _may_have(fate_name: str, provider: Provider) -> bool:
    """Whether tokens of a provider know a fate; of a name that nobody knows, so that it is refused by name."""
    try:
        return provider in Fate.of_name(fate_name).providers
    except ValueError:
        return True


def _seed_of(seed: int, phase: int, place: int) -> int:
    return int.from_bytes(blake2b(b"%d/%d/%d" % (seed, phase, place), digest_size=7).digest())
