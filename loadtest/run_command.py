"""`pushrig run`: any program, with a simulator where the providers were."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

EXIT_NO_SIMULATOR = 125  # as `env`, `timeout` and `docker run` say that they failed themselves

# Of `pushrig serve`: what this command decides itself.
OWN_OPTIONS = (
    *("--host", "--port", "--control-host", "--control-port", "--control-token"),
    *("--state-dir", "--tls-cert", "--tls-key", "--stop-with-stdin", "--help"),
)


def run(
    command: Annotated[
        list[str],
        typer.Argument(metavar="-- COMMAND [ARGUMENT]...", help="The program and its arguments.", show_default=False),
    ],
    serve: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTIONS",
            help="Options of `pushrig serve` for the simulator, such as '--unknown-tokens reject'. Repeatable.",
            show_default=False,
        ),
    ] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="State directory of the simulator, kept; a temporary one unless given.",
            show_default=False,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Leave out the summary at the end.")] = False,
) -> None:
    """Start a simulator and run a program so that the hosts of APNs and FCM, on any port, are the simulator.

    The program needs no change: Python (requests, httpx, aiohttp, plain asyncio, …) and Node.js are redirected at their
    start, other programs by the proxy in HTTPS_PROXY. The simulator's CA is trusted, and the variables that `pushrig env`
    prints are set. Afterwards stderr says what the simulator saw. docs/redirection.md tells what cannot be redirected.

    Examples:

      pushrig run -- python send.py

      pushrig run -- node send.js

      pushrig run --serve "--unknown-tokens reject --topic com.example.app" -- pytest tests/push

    Exit codes: the program's own, 128 + n when signal n ended it; 2 wrong usage; 125 the simulator did not start; 126 the
    program cannot be run; 127 there is no such program.
    """
    import asyncio
    import os

    from loadtest.control_client import ControlClient
    from loadtest.errors import LoadTestError
    from loadtest.redirection.client_variables import client_variables
    from loadtest.redirection.program import run_redirected
    from loadtest.redirection.summary import summary_of
    from loadtest.rig_process import RigProcess

    options = _serve_options(serve or [])
    try:
        # The simulator must not hear the terminal's Ctrl-C, since the program may live on after it.
        with RigProcess(options, state_dir=state_dir, own_session=True) as rig:
            variables = client_variables(Path(rig.running.state_dir))
            ended = asyncio.run(run_redirected(command, os.environ, variables, rig.running.port))
            if ended.complaint is not None:
                _say(ended.complaint)
            elif not quiet:
                control = ControlClient(rig.running.control_url)
                for line in summary_of(control.stats(), control.ledger(), ended.refused_elsewhere):
                    _say(line)
    except LoadTestError as error:
        _say(str(error))
        raise typer.Exit(EXIT_NO_SIMULATOR) from None
    raise typer.Exit(ended.exit_code)


def _serve_options(given: list[str]) -> list[str]:
    try:
        options = [word for text in given for word in shlex.split(text)]
    except ValueError as error:
        raise typer.BadParameter(f"{error}; quote it as for a shell", param_hint="--serve") from None
    for word in options:
        if word.partition("=")[0] in OWN_OPTIONS:
            raise typer.BadParameter(f"{word} is decided by `pushrig run`", param_hint="--serve")
    return options


def _say(line: str) -> None:
    typer.echo(f"pushrig run: {line}", err=True)
