"""docs/scenarios.md says what the code says, and its example is one."""

import re

import msgspec
import pytest

from simulator.control.observing import PAGE_DEFAULT
from simulator.faults.engine import FAULTS_MAX
from simulator.faults.scenario import FAULTS_OF_A_PHASE_MAX, PHASES_MAX, SEED_MAX, Phase, Population, Scenario
from simulator.faults.scenario_file import FILE_BYTES_MAX, SERVE_SETTINGS, ScenarioError, read_scenario
from simulator.observations import OBSERVATIONS_MAX
from tests.faults.write_scenario_tables import PAGE, page_with_tables

TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLE = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def documented(key: str) -> str:
    """The default that a row of a table gives for a key."""
    rows = re.findall(rf"^\| `{key}` \| ([^|]*) \|", TEXT, re.MULTILINE)
    assert rows, f"{key} is not documented"
    return str(rows[0]).strip("` ")


def test_the_tables_are_up_to_date() -> None:
    assert page_with_tables(TEXT) == TEXT, "run `make docs`"


@pytest.mark.parametrize("form", [Scenario, Population, Phase])
def test_every_key_is_documented_with_its_default(form: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(form):
        if field.name in ("population", "phase", "expect"):
            assert f"[{field.name}]" in TEXT
            continue
        default = documented(field.name)
        if field.required:
            assert default == "–"
        elif isinstance(field.default, int | float | str) and not isinstance(field.default, bool):
            assert default == f"{field.default:g}" if isinstance(field.default, float) else str(field.default)


def test_the_settings_that_a_scenario_may_have_are_documented() -> None:
    row = next(line for line in TEXT.splitlines() if line.startswith("| `serve` |"))
    assert set(re.findall(r"`(\w+)`", row)) - {"serve", "real", "off"} == SERVE_SETTINGS


def test_the_bounds_that_the_page_names_are_those_of_the_code() -> None:
    assert f"{OBSERVATIONS_MAX:,} records" in TEXT
    assert f"To {SEED_MAX}." in TEXT
    assert f"limit={PAGE_DEFAULT}" in TEXT
    bounds = f"{FILE_BYTES_MAX:,} bytes and {PHASES_MAX} phases with {FAULTS_OF_A_PHASE_MAX} faults each"
    assert f"{bounds}; no more than {FAULTS_MAX} faults can be at work" in TEXT


def test_the_example_can_be_played() -> None:
    assert EXAMPLE is not None
    read = read_scenario(EXAMPLE[1], "slow-tuesday.toml")
    assert [len(faults) for faults in read.faults] == [1, 1]


def test_the_message_of_the_page_is_what_lint_says() -> None:
    assert EXAMPLE is not None
    spoiled = EXAMPLE[1].replace("retry_after_s=2", "retry_after_ms=2")
    with pytest.raises(ScenarioError) as caught:
        read_scenario(spoiled, "slow-tuesday.toml")
    shown = re.search(r"`(slow-tuesday\.toml:\d+: [^`]*)`", TEXT)
    assert shown is not None
    assert str(caught.value) == shown[1]
