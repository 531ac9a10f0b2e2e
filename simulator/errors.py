"""What can be wrong with how the simulator was set up, as one tree.

    ConfigurationError          what is wrong, where, and what to do about it
    ├── SettingsError           an option on the command line or in the settings file
    ├── CredentialsError        a certificate, a key or the state directory
    ├── NotRunningError         a simulator was expected to run and none does
    └── TokenRefusedError       a simulator runs and gave no access token

A command ends with its message on stderr and an exit code other than 0; none of them needs a traceback. Rejections of
notifications are values, not exceptions, and stand in `simulator.apns.reasons`.
"""

import shlex
from pathlib import Path


class ConfigurationError(Exception):
    """The simulator cannot start, or be found, as it is set up."""


class SettingsError(ConfigurationError):
    """One option has a value that it cannot have.

    `option`: as the user wrote it, with the file it stands in (`--port`, `port in rig.toml`). `value`: what was given.
    `remedy`: what to write instead.
    """

    def __init__(self, option: str, value: object, remedy: str) -> None:
        super().__init__(f"{option}: {_shown(value)} will not do; {remedy}")
        self.option, self.value, self.remedy = option, value, remedy


class CredentialsError(ConfigurationError):
    """A file of the state directory, or one named by the user, cannot be used.

    `path`: the file or directory. `problem`: what is wrong with it. `remedy`: what to do.
    """

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; {remedy}")
        self.path, self.problem, self.remedy = path, problem, remedy


class NotRunningError(ConfigurationError):
    """No simulator runs on the state directory. `path`: the record that was looked for or is left over."""

    def __init__(self, path: Path, problem: str) -> None:
        command = f"pushrig serve --state-dir {shlex.quote(str(path.parent))}"
        super().__init__(f"{path}: {problem}; start a simulator with `{command}`")
        self.path, self.problem = path, problem


class TokenRefusedError(ConfigurationError):
    """The token endpoint gave no access token. `url`: of the endpoint. `problem`: what it said, or why nothing was heard."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"{url}: {problem}; ask for other scopes, or start the simulator again")
        self.url, self.problem = url, problem


VALUE_CHARACTERS_SHOWN_MAX = 80


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= VALUE_CHARACTERS_SHOWN_MAX else text[:VALUE_CHARACTERS_SHOWN_MAX] + "…"
