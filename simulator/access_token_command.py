"""`pushrig access-token`: an OAuth access token for curl and other tools that cannot ask for one."""

import http.client
import ssl
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode, urlsplit

import msgspec
import typer

from simulator.errors import ConfigurationError, CredentialsError, NotRunningError, TokenRefusedError
from simulator.fcm.access_token import LIFE_S_MAX
from simulator.fcm.oauth import GRANT_TYPE
from simulator.fcm.service_account import ServiceAccount, decode_service_account
from simulator.running import RunningSimulator, read_running
from simulator.state_directory import default_state_dir

EXIT_REFUSED = 1
EXIT_BAD_CONFIGURATION = 2
EXIT_NOT_RUNNING = 3
TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 65_536
SCOPE_DEFAULT = "https://www.googleapis.com/auth/firebase.messaging"


class TokenAnswer(msgspec.Struct, frozen=True):
    """What is read of the token endpoint's answer, good or bad."""

    access_token: str = ""
    error: str = ""
    error_description: str = ""


def access_token(
    state_dir: Annotated[
        Path | None,
        typer.Option(
            "--state-dir",
            metavar="DIR",
            help="State directory of the simulator. Default: pushrig's place among the user's application data.",
        ),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="URL", help=f"Scope of the token; may be repeated. Default: {SCOPE_DEFAULT}."),
    ] = None,
) -> None:
    """Print an OAuth access token of the running simulator's service account; it serves for one hour.

    The token comes from the simulator's token endpoint, and ages by the simulator's clock.

    Examples:

      eval "$(pushrig env)"; TOKEN=$(pushrig access-token)

      pushrig access-token --scope https://www.googleapis.com/auth/cloud-platform

    Exit codes: 0 printed; 1 the simulator gives none; 2 the state directory cannot be used; 3 no simulator runs on it.
    """
    try:
        running = read_running(default_state_dir() if state_dir is None else state_dir)
        token = fetch_access_token(running, " ".join(scope or [SCOPE_DEFAULT]), time.time())
    except ConfigurationError as error:
        typer.echo(f"pushrig access-token: {error}", err=True)
        raise typer.Exit(_exit_code(error)) from None
    typer.echo(token)


def fetch_access_token(running: RunningSimulator, scope: str, now_s: float) -> str:
    """Ask a running simulator for an access token. `now_s`: real time, seconds since the Unix epoch.

    Raises CredentialsError when the service account cannot be used, TokenRefusedError when no token comes.
    """
    url = f"{running.url}/token"
    form = {"grant_type": GRANT_TYPE, "assertion": _assertion(running, scope, url, now_s).decode()}
    parts = urlsplit(url)
    # Without a CA of ours (`--tls-cert`), the system's roots or SSL_CERT_FILE have to vouch for the simulator.
    context = ssl.create_default_context(cafile=running.ca_file)
    context.set_alpn_protocols(["http/1.1"])
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S, context=context)
    try:
        connection.request("POST", parts.path, urlencode(form), {"content-type": "application/x-www-form-urlencoded"})
        response = connection.getresponse()
        answer = msgspec.json.decode(response.read(ANSWER_BYTES_MAX), type=TokenAnswer)
    except (OSError, http.client.HTTPException, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise TokenRefusedError(url, f"no answer that could be read ({error})") from error
    finally:
        connection.close()
    if response.status != http.client.OK or not answer.access_token:
        raise TokenRefusedError(url, f"{response.status} {answer.error}: {answer.error_description}")
    return answer.access_token


def _assertion(running: RunningSimulator, scope: str, audience: str, now_s: float) -> bytes:
    account = _read_account(Path(running.service_account_file))
    issued_at_s = int(now_s)
    claims = {
        "iss": account.client_email,
        "scope": scope,
        "aud": audience,
        "iat": issued_at_s,
        "exp": issued_at_s + LIFE_S_MAX,
    }
    try:
        return account.signed(claims)
    except ValueError as error:
        raise CredentialsError(
            Path(running.service_account_file), f"has a damaged private_key ({error})", "start the simulator again"
        ) from error


def _read_account(path: Path) -> ServiceAccount:
    try:
        return decode_service_account(path.read_bytes())
    except OSError as error:
        raise CredentialsError(path, f"cannot be read ({error.strerror})", "run as the user who started it") from error
    except ValueError as error:
        raise CredentialsError(path, f"is damaged ({error})", "start the simulator again to hear what to do") from error


def _exit_code(error: ConfigurationError) -> int:
    if isinstance(error, TokenRefusedError):
        return EXIT_REFUSED
    return EXIT_NOT_RUNNING if isinstance(error, NotRunningError) else EXIT_BAD_CONFIGURATION
