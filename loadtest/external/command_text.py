"""A sender's command as it is typed: words, and what stands for what in them. Pure.

Words are told apart as a shell would, before anything is filled in, and no shell ever sees them: a file name with blanks or
quotes stays one argument.
"""

import re
import shlex
from collections.abc import Mapping, Sequence

COMMAND_CHARACTERS_MAX = 32_768

MEANINGS = {
    "tokens": "file of its devices, one token a line",
    "csv": "file of its devices as `pushrig tokens` writes CSV",
    "store": "device store of its devices, for `pushrig send`",
    "urls": "file of its devices, one URL of APNs a line",
    "endpoint": "URL of the simulator",
    "host": "host of the simulator",
    "port": "port of the simulator",
    "topic": "topic, bundle id or package of the app",
    "count": "how many devices it has",
    "number": "which sender it is, from 1",
    "provider_token": "provider token for APNs, valid for an hour",
}
"""What can be filled in, and what is then there."""

_NAMED = re.compile(r"\{([a-z_]+)\}")  # JSON has no such braces: its names are quoted


class CommandTextError(ValueError):
    """The command cannot be read; the message says why."""


def words_of(command: str) -> tuple[str, ...]:
    """The words of a command, nothing filled in yet. Raises CommandTextError."""
    if len(command) > COMMAND_CHARACTERS_MAX:
        raise CommandTextError(f"the command is longer than {COMMAND_CHARACTERS_MAX:,} characters")
    if "\0" in command:
        raise CommandTextError("the command contains a NUL")
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise CommandTextError(f"{error}; quote it as for a shell") from None
    if not words or not words[0]:
        raise CommandTextError("there is no command")
    for name in names_in(words):
        if name not in MEANINGS:
            known = ", ".join(f"{{{each}}}" for each in MEANINGS)
            raise CommandTextError(f"{{{name}}} stands for nothing; there are {known}")
    return words


def names_in(words: Sequence[str]) -> list[str]:
    """What is to be filled in, in order, each once."""
    return list(dict.fromkeys(name for word in words for name in _NAMED.findall(word)))


def filled(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The arguments of the sender. `values`: all that `names_in` told, others too."""
    return [_NAMED.sub(lambda found: values[found[1]], word) for word in words]
