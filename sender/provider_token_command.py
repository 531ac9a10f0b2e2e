"""`pushrig provider-token`: a provider token for curl and other tools that cannot sign one."""

import time
from pathlib import Path
from typing import Annotated

import typer

EXIT_BAD_INPUT = 2


def provider_token(
    key_file: Annotated[
        Path,
        typer.Option("--key-file", envvar="APNS_KEY_FILE", metavar="FILE", help="Private key, AuthKey_<KEYID>.p8."),
    ],
    key_id: Annotated[str, typer.Option("--key-id", envvar="APNS_KEY_ID", help="Id of that key.")],
    team_id: Annotated[str, typer.Option("--team-id", envvar="APNS_TEAM_ID", help="Id of the team it belongs to.")],
) -> None:
    """Print a provider token (an ES256 JWT) made now; it serves for one hour.

    Examples:

      eval "$(pushrig env)"; JWT=$(pushrig provider-token)

      pushrig provider-token --key-file AuthKey_ABCDE12345.p8 --key-id ABCDE12345 --team-id TEAM123456

    Exit codes: 0 printed; 2 the key file or an id cannot be used.
    """
    from sender.apns.provider_token import ProviderTokenSource
    from sender.errors import SenderError

    try:
        field = ProviderTokenSource.from_file(key_file, key_id, team_id).text(time.time())
    except SenderError as error:
        typer.echo(f"pushrig provider-token: {error}", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from None
    typer.echo(field.removeprefix(b"bearer ").decode())
