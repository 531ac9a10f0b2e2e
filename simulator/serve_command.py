"""`pushrig serve`: the simulator's command line."""

from pathlib import Path
from typing import Annotated

import typer

from simulator.errors import ConfigurationError
from simulator.settings import merge, option

EXIT_BAD_CONFIGURATION = 2


def serve(
    host: Annotated[str | None, option("host")] = None,
    port: Annotated[int | None, option("port")] = None,
    control_host: Annotated[str | None, option("control_host")] = None,
    control_port: Annotated[int | None, option("control_port")] = None,
    control_token: Annotated[str | None, option("control_token")] = None,
    cleartext_port: Annotated[int | None, option("cleartext_port")] = None,
    seed: Annotated[int | None, option("seed")] = None,
    state_dir: Annotated[Path | None, option("state_dir")] = None,
    tls_cert: Annotated[Path | None, option("tls_cert")] = None,
    tls_key: Annotated[Path | None, option("tls_key")] = None,
    client_ca: Annotated[Path | None, option("client_ca")] = None,
    environment: Annotated[str | None, option("environment")] = None,
    auth: Annotated[str | None, option("auth")] = None,
    unknown_tokens: Annotated[str | None, option("unknown_tokens")] = None,
    topics: Annotated[list[str] | None, option("topics")] = None,
    provider_token_update_interval_s: Annotated[int | None, option("provider_token_update_interval_s")] = None,
    provider_token_update_scope: Annotated[str | None, option("provider_token_update_scope")] = None,
    penalty: Annotated[str | None, option("penalty")] = None,
    epoch_ms: Annotated[int | None, option("epoch_ms")] = None,
    journal_entries_max: Annotated[int | None, option("journal_entries_max")] = None,
    limits: Annotated[list[str] | None, option("limits")] = None,
    rates: Annotated[str | None, option("rates")] = None,
    faults: Annotated[list[str] | None, option("faults")] = None,
    faults_file: Annotated[Path | None, option("faults_file")] = None,
    scenario: Annotated[str | None, option("scenario")] = None,
    observe: Annotated[str | None, option("observe")] = None,
    frame_log: Annotated[Path | None, option("frame_log")] = None,
    workers: Annotated[int | None, option("workers")] = None,
    stop_with_stdin: Annotated[str | None, option("stop_with_stdin")] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="TOML file with any of these settings; flags override it."),
    ] = None,
) -> None:
    """Run a fake APNs and FCM until Ctrl-C.

    The first line on stdout is JSON with ports, pid and the files that clients need; `pushrig env` prints the same as
    shell exports. Logs go to stderr.

    Examples:

      pushrig serve

      pushrig serve --port 0 --control-port 0 --state-dir ./rig

      pushrig serve --unknown-tokens reject --topic com.example.app --penalty on

      pushrig serve --config rig.toml --environment sandbox

      pushrig serve --limits off

      pushrig serve --fault 'reason reason=TooManyRequests retry_after_s=5 share_of_requests=0.1'

      pushrig serve --scenario goaway-mid-burst

      pushrig serve --frame-log frames.txt

      pushrig serve --workers 4

      pushrig serve --limit connections_max=500 --limit idle_timeout_s=60

    Exit codes: 0 stopped by SIGINT or SIGTERM, or told to (--stop-with-stdin); 2 a setting, port or file cannot be used.
    """
    flags = {name: value for name, value in locals().items() if name != "config"}
    from simulator.serve import run

    try:
        run(merge(flags, config))
    except ConfigurationError as error:
        typer.echo(f"pushrig serve: {error}", err=True)
        raise typer.Exit(EXIT_BAD_CONFIGURATION) from None
