"""The command line as a manual: every command and option explains itself, examples and exit codes are there."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

import pushrig

ROOT = Path(__file__).parents[2]
COMMANDS = [name for name, _, _ in pushrig.COMMANDS]


def options() -> Iterator[tuple[str, str, str]]:
    """Command, flag and help text of every option."""
    group = typer.main.get_command(pushrig.application(None))
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        for parameter in command.params:
            if parameter.param_type_name == "option":
                yield name, parameter.opts[0], parameter.help or ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_manual_with_examples_and_exit_codes(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pushrig", command, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "Exit codes:" in done.stdout
    assert f"pushrig {command}" in done.stdout.partition("Options")[0].replace("Usage: pushrig", "", 1)


def test_every_option_is_explained() -> None:
    assert [(command, flag) for command, flag, text in options() if len(text) < 10] == []


def test_the_help_lists_every_command_and_the_version_is_told() -> None:
    done = subprocess.run([sys.executable, "-m", "pushrig", "--help"], capture_output=True, text=True, check=False)
    assert all(re.search(rf"^\W*{command}\b", done.stdout, re.MULTILINE) for command in COMMANDS)
    told = subprocess.run([sys.executable, "-m", "pushrig", "--version"], capture_output=True, text=True, check=False)
    assert re.fullmatch(r"pushrig \d+\.\d+\.\d+\n", told.stdout)


@pytest.mark.parametrize("arguments", [("nonsense",), ("serve", "--nonsense"), ("demo", "extra")])
def test_what_does_not_exist_is_named_with_exit_code_2(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-m", "pushrig", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and arguments[-1] in done.stderr and "Traceback" not in done.stderr


def test_what_the_readme_calls_exists() -> None:
    """Commands and flags in the README's examples are real ones."""
    text = (ROOT / "README.md").read_text()
    known: dict[str, set[str]] = {}
    for command, flag, _ in options():
        known.setdefault(command, set()).add(flag)
    calls = re.findall(r"^pushrig (\w+)(.*)$", text, re.MULTILINE)
    assert len(calls) >= 6
    for command, rest in calls:
        assert command in COMMANDS
        for flag in re.findall(r"(?<!\S)--[a-z-]+", rest.partition("#")[0]):
            assert flag in known[command], f"pushrig {command} {flag}"


def test_the_quick_start_is_two_commands() -> None:
    section = (ROOT / "README.md").read_text().partition("## Quick start")[2]
    assert section.split("```")[1].split() == ["make", "demo", "make", "test"]
