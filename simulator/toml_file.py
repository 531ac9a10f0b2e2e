"""TOML files that users write for the simulator."""

import tomllib
from pathlib import Path

from simulator.errors import SettingsError


def read_toml(path: Path, option: str) -> dict[str, object]:
    """What stands in the file. `option`: which names it. Raises SettingsError, with the line where that is known."""
    try:
        content: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(option, str(path), f"give a file to read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, not UTF-8, an endless number; arrays too deep
        raise SettingsError(option, str(path), f"give a file in TOML ({error})") from error
    return content
