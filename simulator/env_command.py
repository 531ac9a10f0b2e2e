"""`pushrig env`: point common clients at the running simulator through environment variables."""

import shlex
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from simulator.errors import ConfigurationError, NotRunningError
from simulator.running import RunningSimulator, read_running
from simulator.state_directory import default_state_dir

EXIT_BAD_CONFIGURATION = 2
EXIT_NOT_RUNNING = 3


class ExportFormat(Enum):
    """How the variables are written."""

    SH = "sh"
    FISH = "fish"
    JSON = "json"
    DOTENV = "dotenv"


def client_environment(running: RunningSimulator) -> dict[str, str]:
    """Return the variables that make clients talk to `running`, trust it, and sign with its key."""
    variables = {
        "PUSHRIG_URL": running.url,
        "PUSHRIG_CONTROL_URL": running.control_url,
        "PUSHRIG_ENVIRONMENT": running.environment,
        "PUSHRIG_TOPIC": running.topic,
        "APNS_KEY_FILE": running.key_file,
        "APNS_KEY_ID": running.key_id,
        "APNS_TEAM_ID": running.team_id,
        # What Google's own libraries look for, then what ours and others' programs ask for by name.
        "GOOGLE_APPLICATION_CREDENTIALS": running.service_account_file,
        "GOOGLE_CLOUD_PROJECT": running.project_id,
        "GCLOUD_PROJECT": running.project_id,
        "FCM_PROJECT_ID": running.project_id,
        "FCM_PROJECT_NUMBER": running.project_number,
    }
    if running.client_certificate_file is not None and running.client_key_file is not None:
        variables["APNS_CERT_FILE"] = running.client_certificate_file
        variables["APNS_CERT_KEY_FILE"] = running.client_key_file
    if running.cleartext_url is not None:
        variables["PUSHRIG_CLEARTEXT_URL"] = running.cleartext_url
    if running.bundle_file is not None:
        # These replace the trust store of OpenSSL (so Python, Ruby, Go), requests and curl: hence system roots and ours.
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            variables[name] = running.bundle_file
    if running.ca_file is not None:
        variables["PUSHRIG_CA_FILE"] = running.ca_file
        variables["NODE_EXTRA_CA_CERTS"] = running.ca_file  # Adds to what Node.js trusts.
    return variables


def format_exports(variables: Mapping[str, str], export_format: ExportFormat) -> str:
    """Return `variables` as text that the shell, or reader, of `export_format` takes back unchanged. No last newline."""
    match export_format:
        case ExportFormat.JSON:
            return msgspec.json.format(msgspec.json.encode(variables)).decode()
        case ExportFormat.FISH:
            return "\n".join(f"set -gx {name} {_fish_quoted(value)}" for name, value in variables.items())
        case ExportFormat.DOTENV:
            return "\n".join(f"{name}={_dotenv_quoted(value)}" for name, value in variables.items())
        case ExportFormat.SH:
            return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def env(
    state_dir: Annotated[
        Path | None,
        typer.Option(
            "--state-dir",
            metavar="DIR",
            help="State directory of the simulator. Default: pushrig's place among the user's application data.",
        ),
    ] = None,
    export_format: Annotated[
        ExportFormat, typer.Option("--format", help="How the variables are written.", case_sensitive=False)
    ] = ExportFormat.SH,
) -> None:
    """Print environment variables that point clients at the running simulator.

    sh:  eval "$(pushrig env)"        fish:  pushrig env --format fish | source

    Exit codes: 0 printed; 2 the state directory cannot be used; 3 no simulator runs on it.
    """
    try:
        running = read_running(default_state_dir() if state_dir is None else state_dir)
    except NotRunningError as error:
        typer.echo(f"pushrig env: {error}", err=True)
        raise typer.Exit(EXIT_NOT_RUNNING) from None
    except ConfigurationError as error:
        typer.echo(f"pushrig env: {error}", err=True)
        raise typer.Exit(EXIT_BAD_CONFIGURATION) from None
    typer.echo(format_exports(client_environment(running), export_format))


def _fish_quoted(value: str) -> str:
    """Between single quotes, fish knows two escapes only."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _dotenv_quoted(value: str) -> str:
    """Readers of these files differ: what they agree on comes first, escapes last.

    Quotes count as part of the value for `docker --env-file`; single quotes mean "as it stands" to all others.
    """
    if value == shlex.quote(value):
        return value
    if not set(value) & set("'\\\n"):
        return f"'{value}'"
    for character, escaped in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("`", "\\`"), ("\n", "\\n")):
        value = value.replace(character, escaped)
    return f'"{value}"'
