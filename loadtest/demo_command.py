"""`pushrig demo`: the main job, shown."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
DEVICES_MAX = 20_000_000


def demo(
    devices: Annotated[
        int, typer.Option("--devices", min=1, max=DEVICES_MAX, help="How many synthetic devices.")
    ] = 100_000,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed of the devices: same seed, same tokens.")
    ] = 1,
    connections: Annotated[
        int, typer.Option("--connections", min=1, max=64, help="HTTP/2 connections of the sender to each provider.")
    ] = 4,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as JSON on stdout, and no progress.")
    ] = False,
) -> None:
    """Watch a campaign leave a device store, be judged by a simulated APNs and FCM, and prune the dead tokens.

    Starts a simulator, mints devices of both providers of which 3 % are dead, sends them a personalised notification over
    HTTP/2 and TLS, prunes what the answers say, and sends a second campaign that meets no dead token any more. The
    simulator's ledger then says of every device what it got. It runs with --limits off: Google's quota of 600,000 messages
    a minute would set the pace.

    Examples:

      pushrig demo

      pushrig demo --devices 1000000 --json

    Exit codes: 0 all came out as it must; 1 it did not (what failed is listed); 2 bad input, or a part did not start.
    """
    from loadtest.demo import DemoOptions, run_demo
    from loadtest.demo_screen import DemoScreen
    from loadtest.errors import LoadTestError
    from sender.errors import SenderError
    from sender.store.errors import StoreError

    screen = DemoScreen(shown=not as_json)
    try:
        with tempfile.TemporaryDirectory(prefix="pushrig-demo-") as folder, screen:
            report = run_demo(DemoOptions(devices, seed, Path(folder), connections), screen, screen.show_rig)
    except (LoadTestError, SenderError, StoreError, OSError) as error:
        typer.echo(f"pushrig demo: {error}", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from None
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n")
    else:
        screen.show_report(report)
    if report.failures:
        for failure in report.failures:
            typer.echo(f"pushrig demo: {failure}", err=True)
        raise typer.Exit(EXIT_FAILED)
