"""deploy/: the compose file is well-formed, and speaks of names, files and options that there are."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

import pushrig
from loadtest.rig_process import RigProcess
from simulator.credentials import HOST_NAMES

DEPLOY = Path(__file__).parents[2] / "deploy"
HAPROXY = (DEPLOY / "haproxy.cfg").read_text()


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return read["services"]  # type: ignore[no-any-return]


def command_line(service: dict[str, Any]) -> list[str]:
    """What it runs, with the defaults of variables."""
    *_, text = service["command"] if service["command"][0] == "sh" else [shlex.join(service["command"])]
    filled = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text.replace("$$", "$"))
    return shlex.split(filled)


def options_of(name: str) -> set[str]:
    group = typer.main.get_command(pushrig.application(None))
    return {option for parameter in group.commands[name].params for option in parameter.opts}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["simulator-1", "simulator-2", "load"])
def test_commands_have_options_that_there_are(services: dict[str, Any], name: str) -> None:
    line = command_line(services[name])
    command = line[line.index("pushrig") + 1]
    used = {each for each in line[line.index("pushrig") :] if each.startswith("--")}
    assert used and used <= options_of(command)


def test_the_balancer_knows_every_simulator_and_the_load_asks_each(services: dict[str, Any]) -> None:
    simulators = [name for name in services if name.startswith("simulator-")]
    assert len(simulators) == 2
    assert re.findall(r'^ +server (\S+) "\$\{\w+-\1:8443\}"$', HAPROXY, re.MULTILINE) == simulators
    assert all(services[name]["hostname"] == name for name in simulators)
    line = command_line(services["load"])
    asked = [line[at + 1] for at, each in enumerate(line) if each == "--control-url"]
    assert asked == [f"http://{name}:8080" for name in simulators]
    assert set(services["balancer"]["depends_on"]) == set(simulators)


def test_the_load_goes_to_a_name_of_the_balancer_that_the_certificate_has(services: dict[str, Any]) -> None:
    aliases = services["balancer"]["networks"]["default"]["aliases"]
    assert set(aliases) <= set(HOST_NAMES)
    line = command_line(services["load"])
    assert line[line.index("--endpoint") + 1].removeprefix("https://") in aliases


def test_as_many_workers_are_started_as_the_load_waits_for(services: dict[str, Any]) -> None:
    assert services["worker"]["deploy"]["replicas"] == "${WORKERS:-3}"
    assert "--expect-workers ${WORKERS:-3}" in services["load"]["command"][-1]
    assert services["load"]["hostname"] in services["worker"]["command"]


def test_files_that_are_named_are_in_the_image(services: dict[str, Any]) -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    for name in ("worker", "load"):
        for path in re.findall(r"/src/(\S+)", " ".join(services[name]["command"])):
            assert (DEPLOY.parent / path).is_file() and f"!{path}" in ignored
    kept = [each.lstrip("!").rstrip("/") for each in ignored if each.startswith("!")]
    assert all((DEPLOY.parent / each).exists() for each in kept)


def test_a_sender_finds_credentials_and_the_name_of_the_token_endpoint(tmp_path: Path) -> None:
    with RigProcess(state_dir=tmp_path / "state") as rig:
        found = subprocess.run(
            ["sh", str(DEPLOY / "as-sender.sh"), "env"],
            env={
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "STATE_DIR": rig.running.state_dir,
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
        variables = dict(line.split("=", 1) for line in found.splitlines() if "=" in line)
        assert variables["APNS_KEY_FILE"] == rig.running.key_file
        assert variables["APNS_KEY_ID"] == rig.running.key_id
    account = Path(variables["GOOGLE_APPLICATION_CREDENTIALS"]).read_text()
    assert '"https://oauth2.googleapis.com/token"' in account and "localhost" not in account
