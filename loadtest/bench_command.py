"""`pushrig bench`: measure sender and simulator on this machine."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2


def bench(
    notifications: Annotated[
        int, typer.Option("--notifications", min=1_000, max=10_000_000, help="Per run against the simulator.")
    ] = 200_000,
    baseline_notifications: Annotated[
        int, typer.Option("--baseline-notifications", min=100, max=1_000_000, help="Per run against Hypercorn.")
    ] = 4_000,
    repeats: Annotated[int, typer.Option("--repeats", min=1, max=50, help="Runs of each row; medians are shown.")] = 3,
    connections: Annotated[
        int, typer.Option("--connections", min=1, max=64, help="HTTP/2 connections of the sender.")
    ] = 4,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write the JSON to a file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of the table.")] = False,
) -> None:
    """Measure the reference sender against the simulator with everything on, beside Hypercorn and Starlette.

    Absolute figures belong to this machine and minute; the ratios of one run are what can be compared. The table says how
    much CPU each side used for one notification, and which side was the limit.

    Examples:

      pushrig bench

      pushrig bench --notifications 1000000 --repeats 5 --json --out bench.json

    Exit codes: 0 measured; 1 a part did not start or did not answer; 2 bad input.
    """
    from rich.console import Console

    from loadtest.bench import run_bench
    from loadtest.bench_table import bench_table
    from loadtest.errors import LoadTestError
    from sender.errors import SenderError

    errors = Console(stderr=True)
    if baseline_notifications > notifications:
        typer.echo("pushrig bench: --baseline-notifications: give at most as many as --notifications", err=True)
        raise typer.Exit(EXIT_BAD_INPUT)
    if out is not None and not out.parent.is_dir():
        typer.echo(f"pushrig bench: --out {out}: there is no such directory", err=True)
        raise typer.Exit(EXIT_BAD_INPUT)
    try:
        with errors.status("starting") as status:
            report = run_bench(
                notifications,
                baseline_notifications,
                repeats,
                connections,
                lambda name: status.update(name),
            )
    except (LoadTestError, SenderError, OSError) as error:
        typer.echo(f"pushrig bench: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    text = msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"
    if out is not None:
        out.write_text(text)
    if as_json:
        sys.stdout.write(text)
    else:
        Console().print(bench_table(report))
