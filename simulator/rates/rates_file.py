"""`--limits`: the providers' own rates, none, or those that a TOML file gives by name.

    fcm_topic_changes = "off"

    [fcm_project]
    count = 60_000          # per_s stays 60, as with `real`

    [apns_device]
    count = 5
    per_s = 60
    burst = 10

Rates that the file does not name are as with `real`.
"""

import difflib
from pathlib import Path

import msgspec

from simulator.errors import SettingsError
from simulator.limits import LIMITS
from simulator.rates.rates import (
    CONCURRENT_MAX,
    COUNT_MAX,
    DELIVERIES_PER_S_MAX,
    OFF,
    PERIOD_S_MAX,
    PERIOD_S_MIN,
    RATES,
    REAL,
    BucketRate,
    FanoutRate,
    RateRow,
    Rates,
    WindowRate,
)
from simulator.toml_file import read_toml

NAMED_RATES = {"real": REAL, "off": OFF}

_PERIOD = f"per_s = seconds from {PERIOD_S_MIN} to {PERIOD_S_MAX}"
_EXPECTS = {
    WindowRate: f'a table of count = 1 to {COUNT_MAX}, {_PERIOD}; or "off"',
    BucketRate: f'a table of count = 1 to {COUNT_MAX}, {_PERIOD} and, if wanted, burst = 1 to {COUNT_MAX}; or "off"',
    FanoutRate: f'a table of concurrent = 1 to {CONCURRENT_MAX}, deliveries_per_s = 1 to {DELIVERIES_PER_S_MAX}; or "off"',
}


def rates_of(value: object, option: str, expects: str, base: Path) -> Rates:
    """The rates that a setting names. A relative path counts from `base`.

    `option`: the setting as the user wrote it; `expects`: what it takes. Raises SettingsError that names rate and file.
    """
    if not isinstance(value, str) or not value:
        raise SettingsError(option, value, f"give {expects}")
    if value in NAMED_RATES:
        return NAMED_RATES[value]
    try:
        path = (base / Path(value).expanduser()).absolute()
    except RuntimeError as error:  # nobody's home
        raise SettingsError(option, value, f"give {expects} ({error})") from error
    try:
        content = read_toml(path, option)
    except SettingsError as error:
        hint = f" (did you mean --limit {value}?)" if value.partition("=")[0] in LIMITS else ""
        raise SettingsError(option, value, f"{error.remedy}; it takes {expects}{hint}") from error
    return msgspec.structs.replace(REAL, **{name: _rate(name, given, path) for name, given in content.items()})


def _rate(name: str, given: object, path: Path) -> WindowRate | BucketRate | FanoutRate | None:
    row = RATES.get(name)
    if row is None:
        close = difflib.get_close_matches(name.replace("-", "_"), RATES, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"it may hold {', '.join(RATES)}"
        raise SettingsError(f"{path}", name, f"there is no such rate; {remedy}")
    if given == "off":
        return None
    expects = f"give {_EXPECTS[row.form]}"
    if not isinstance(given, dict):
        raise SettingsError(f"{name} in {path}", given, expects)
    try:
        return msgspec.convert({**_figures(row), **given}, row.form)
    except msgspec.ValidationError as error:
        problem = str(error).replace("`", "").replace("$.", "")
        raise SettingsError(f"{name} in {path}", given, f"{problem}; {expects}") from error


def _figures(row: RateRow) -> dict[str, object]:
    """What stays where the file gives no other."""
    return {} if row.real is None else msgspec.structs.asdict(row.real)
