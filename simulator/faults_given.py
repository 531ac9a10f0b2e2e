"""The faults that a simulator starts with: lines of `--fault`, and tables of the file that `--faults` names.

[[fault]]
fault = "reason"
reason = "TooManyRequests"
retry_after_s = 5
share_of_requests = 0.1
"""

from collections.abc import Sequence
from pathlib import Path

from simulator.errors import SettingsError
from simulator.faults.engine import FAULTS_MAX, Planned
from simulator.faults.fault_text import plan_fault, read_fault
from simulator.toml_file import read_toml

TABLE = "fault"
EXPECTS = "give a name and options from the list of pushrig faults, in quotes"


def faults_given(
    lines: Sequence[str], file: Path | None, lines_option: str = "--fault", file_option: str = "--faults"
) -> tuple[Planned, ...]:
    """All of them, those of the file first. `lines_option`, `file_option`: as the user wrote them. Raises SettingsError."""
    planned = [] if file is None else _of_file(file, file_option)
    for line in lines:
        try:
            planned.append(read_fault(line))
        except ValueError as error:
            raise SettingsError(lines_option, line, f"{error}; {EXPECTS}") from None
    if len(planned) > FAULTS_MAX:
        raise SettingsError(lines_option, len(planned), f"no more than {FAULTS_MAX} faults are at work at a time")
    return tuple(planned)


def _of_file(file: Path, option: str) -> list[Planned]:
    content = read_toml(file, option)
    where, form = f"{option} {file}", f"write [[{TABLE}]] for each fault, with its name as {TABLE} = … and its options"
    for key in content:
        if key != TABLE:
            raise SettingsError(where, key, f"the file may hold nothing but faults; {form}")
    tables = content.get(TABLE)
    if not isinstance(tables, list):
        raise SettingsError(where, tables, form)
    planned = []
    for number, table in enumerate(tables, 1):
        place = f"{TABLE} {number} in {file}"
        name: object = table.get(TABLE) if isinstance(table, dict) else table
        if not isinstance(table, dict) or not isinstance(name, str):
            raise SettingsError(place, name, form)
        try:
            planned.append(plan_fault(name, {key: value for key, value in table.items() if key != TABLE}))
        except ValueError as error:
            raise SettingsError(place, name, f"{error}; {EXPECTS}") from None
    return planned
