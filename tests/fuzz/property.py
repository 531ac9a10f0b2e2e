"""One property under fuzz: inputs that can be written down as JSON, and a check that any of them passes.

`make test` draws a few inputs of each property; `make fuzz` draws fresh ones until its time is over. What fails is shrunk and
becomes a file of the corpus, which `make test` replays from then on.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import hypothesis
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

Input = TypeVar("Input", bound=msgspec.Struct)

WIRE_CORPUS = Path(__file__).parents[1] / "wire" / "corpus"
DOORS_CORPUS = Path(__file__).parent / "corpus"


class Found(AssertionError):  # noqa: N818  # what a search is for, no fault of it
    """An input that fails. `case`: the file that replays it."""

    def __init__(self, case: "Case", error: BaseException) -> None:
        super().__init__(f"{case.property} fails for\n{case.text()}\nbecause of {type(error).__name__}: {error}")
        self.case = case


class Case(msgspec.Struct, frozen=True):
    """One file of a corpus. `property`: whose input it is; `showed`: what it brought to light."""

    property: str
    showed: str
    input: msgspec.Raw

    def text(self) -> str:
        """The file's content."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode() + "\n"

    def file_name(self) -> str:
        """The same for the same input, so that a find is kept once."""
        return f"{self.property}-{hashlib.blake2b(bytes(self.input), digest_size=4).hexdigest()}.json"


class KeptCase(NamedTuple):
    """A case with the file it stands in."""

    path: Path
    case: Case


@dataclass(frozen=True, kw_only=True)
class Property(Generic[Input]):
    """A claim about every input.

    `name`: as it stands in the corpus. `inputs`: draws them. `check`: raises what is wrong with one, else returns. `examples`:
    how many `make test` draws.
    """

    name: str
    record: type[Input]
    inputs: SearchStrategy[Input]
    check: Callable[[Input], None]
    examples: int
    corpus: Path = WIRE_CORPUS

    def replay(self, case: Case) -> None:
        """Check the input of one case. Raises what is wrong with it."""
        self.check(msgspec.json.decode(case.input, type=self.record))

    def case_of(self, given_input: Input, showed: str) -> Case:
        """The case that replays an input."""
        return Case(self.name, showed, msgspec.Raw(msgspec.json.encode(given_input)))

    def search(self, examples: int, seed: int | None = None) -> None:
        """Draw inputs and check them. `seed` None: as hypothesis is set. Raises Found with the least that fails."""
        last: list[Input] = []

        def holds(given_input: Input) -> None:
            last[:] = [given_input]
            try:
                self.check(given_input)
            except RecursionError as error:  # raised at another place each time, which hypothesis would call flaky
                raise AssertionError("RecursionError") from error

        try:
            seeded(given(self.inputs)(search_settings(examples)(holds)), seed)()
        except Exception as error:
            if not last:
                raise
            raise Found(self.case_of(last[0], shown(error)), error) from error


AnyProperty = Property[msgspec.Struct]
Test = TypeVar("Test", bound=Callable[..., object])


def seeded(test: Test, seed: int | None) -> Test:
    """A test of hypothesis, or a state machine, that starts from `seed`."""
    return test if seed is None else hypothesis.seed(seed)(test)


def search_settings(examples: int) -> settings:
    """How properties are searched: the corpus takes the place of hypothesis's own database."""
    everything = list(HealthCheck)
    return settings(
        max_examples=examples,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        print_blob=False,
        suppress_health_check=everything,
    )


def shown(error: BaseException) -> str:
    """An error on one line of a corpus file."""
    first_line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first_line[:160]}"


def kept_cases(corpus: Path) -> list[KeptCase]:
    """All cases of one corpus."""
    return [KeptCase(path, msgspec.json.decode(path.read_bytes(), type=Case)) for path in sorted(corpus.glob("*.json"))]
