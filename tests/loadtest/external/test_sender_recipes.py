"""The recipes of docs/senders: each one's program and command, as they stand there, with fewer devices."""

import json
import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from loadtest.external.command_text import MEANINGS
from tests.wire.independent.programs import path_of

ROOT = Path(__file__).resolve().parents[3]
RECIPES = ROOT / "docs" / "senders"
NODE = ROOT / "tests" / "sdk" / "node"
TIMEOUT_S = 120
DEVICES = 300


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of a recipe in this language; "": commands."""
    text = (RECIPES / document).read_text()
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [content for its_language, content in found if its_language == language]


def run_recipe(document: str, folder: Path) -> None:
    """Run the command of a recipe that loads, and look whether all is accounted for."""
    (line,) = [line for block in blocks(document, "") for line in block.splitlines() if "--sender" in line]
    words = shlex.split(line)
    assert words[:2] == ["pushrig", "load"]
    words[words.index("--devices") + 1] = str(DEVICES)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pushrig", *words[1:], "--ceiling", "off", "--json"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    ledger = report["ledger"]
    assert (ledger["accepted_more"], ledger["never"]) == (0, 0)
    assert ledger["accepted_once"] + ledger["rejected"] == DEVICES == report["notifications"]
    assert ledger["rejected"] > 0


@pytest.mark.parametrize(
    ("document", "program", "package"),
    [
        ("aioapns.md", "send_aioapns.py", "aioapns"),
        ("httpx.md", "send_httpx.py", "httpx"),
        ("firebase-admin.md", "send_firebase.py", "firebase_admin"),
    ],
)
def test_a_python_recipe_does_what_it_says(document: str, program: str, package: str, tmp_path: Path) -> None:
    if find_spec(package) is None:
        pytest.skip(f"needs {package}: make setup")
    (tmp_path / program).write_text(blocks(document, "python")[-1])
    run_recipe(document, tmp_path)


def test_the_recipe_for_node_does_what_it_says(tmp_path: Path) -> None:
    path_of("node")
    if not (NODE / "node_modules" / "@parse" / "node-apn").is_dir():
        pytest.skip(f"needs @parse/node-apn: npm ci --prefix {NODE.relative_to(ROOT)}")
    (program,) = blocks("node-apn.md", "js")
    (tmp_path / "send_node_apn.mjs").write_text(program)
    (tmp_path / "node_modules").symlink_to(NODE / "node_modules")
    run_recipe("node-apn.md", tmp_path)


def test_the_recipe_for_h2load_does_what_it_says(tmp_path: Path) -> None:
    path_of("h2load")
    (echo,) = [line for block in blocks("h2load.md", "") for line in block.splitlines() if line.startswith("echo ")]
    _, text, _, name = shlex.split(echo)
    (tmp_path / name).write_text(f"{text}\n")
    run_recipe("h2load.md", tmp_path)


def test_everything_that_is_filled_in_is_in_the_table() -> None:
    text = (RECIPES / "README.md").read_text()
    assert set(re.findall(r"`\{([a-z_]+)\}`", text)) == set(MEANINGS)
