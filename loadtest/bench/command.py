"""`pushrig bench`: measure sender and simulator on this machine."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
import typer

from loadtest.bench.growth_axes import AXIS_NAMES, DEVICES, device_marks, marks_of
from loadtest.bench.rows import NAMES, YARDSTICK, chosen

if TYPE_CHECKING:
    from loadtest.bench.records import BenchReport
    from loadtest.bench.run import BenchOptions

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_TERMINATED = 143
PROFILE_TIMEOUT_S = 300.0

NOTIFICATIONS_DEFAULT = 200_000
REPEATS_DEFAULT = 3
QUICK_NOTIFICATIONS = 20_000
DEVICES_MAX_DEFAULT, DEVICES_MAX = 1_000_000, 10_000_000
ALL_AXES = "all"


def bench(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help=f"Only this row; repeatable. Rows: {', '.join(NAMES)}."),
    ] = None,
    notifications: Annotated[
        int | None,
        typer.Option(
            min=100,
            max=10_000_000,
            help="Per run of the fast rows; slow ones send a fixed share of it.",
            show_default=f"{NOTIFICATIONS_DEFAULT}",
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(min=1, max=50, help="Runs of each row; medians are shown.", show_default=f"{REPEATS_DEFAULT}"),
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=64, help="HTTP/2 connections of each sender.")] = 4,
    quick: Annotated[
        bool, typer.Option("--quick", help=f"One run of each row, with {QUICK_NOTIFICATIONS:,} notifications.")
    ] = False,
    cost: Annotated[
        bool,
        typer.Option(
            "--cost", help="Also campaigns from the store over 10 thousand to a million devices: cost and memory."
        ),
    ] = False,
    growth: Annotated[
        list[str] | None,
        typer.Option(
            "--growth",
            metavar="AXIS",
            help=f"How cost, rate and memory grow along {', '.join(AXIS_NAMES)}, or {ALL_AXES}; repeatable. "
            f"Of the rows only {YARDSTICK}, unless --only names others.",
        ),
    ] = None,
    devices_max: Annotated[
        int,
        typer.Option(
            min=1_000,
            max=DEVICES_MAX,
            help="Devices of the largest campaign of --cost and --growth devices, such as 10000000 (five minutes).",
        ),
    ] = DEVICES_MAX_DEFAULT,
    plots: Annotated[
        Path | None,
        typer.Option("--plots", metavar="DIRECTORY", help="Also write pictures of what --growth found, SVG files."),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Instead: account for each microsecond of the hot path, by function.")
    ] = False,
    earlier: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Measure nothing: show this JSON of an earlier run.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--compare", metavar="FILE", help="Show what changed since this JSON of an older run."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write the JSON to a file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, as it stands in docs/performance.md.")
    ] = False,
) -> None:
    """Measure sender and simulator beside rulers (the same work written bare) and what one would build first.

    Absolute figures belong to this machine and minute; the ratios of one run are what can be compared. Tables say how much
    CPU each side used for one notification, which side was the limit, and which bars are held. Rows that need a program
    or package that is not here are listed with the command that installs it.

    Examples:

      pushrig bench

      pushrig bench --only ruler --only simulator --repeats 9

      pushrig bench --out new.json --compare old.json

      pushrig bench --from new.json --markdown

      pushrig bench --growth all --devices-max 10000000 --plots growth --out growth.json

    Exit codes: 0 measured, whether or not the bars are held; 1 a row failed, or nothing could be measured; 2 bad input.
    """
    from loadtest.errors import LoadTestError
    from sender.errors import SenderError
    from sender.store.errors import StoreError

    if as_json and as_markdown:
        _bad_input("--markdown", "goes without --json")
    if out is not None and not out.absolute().parent.is_dir():
        _bad_input(f"--out {out}", "there is no such directory")
    unknown = [name for name in growth or () if name not in (*AXIS_NAMES, ALL_AXES)]
    if unknown:
        _bad_input(f"--growth {unknown[0]}", f"the axes are {', '.join(AXIS_NAMES)}, or {ALL_AXES}")
    axes = [name for name in AXIS_NAMES if name in (growth or ()) or ALL_AXES in (growth or ())]
    if plots is not None:
        if not (axes or cost or earlier):
            _bad_input(f"--plots {plots}", "goes with --growth, --cost or --from: there is nothing else to draw")
        try:
            plots.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            _bad_input(f"--plots {plots}", error.strerror or "cannot be made")
    try:
        rows = chosen(tuple(only or ([YARDSTICK] if axes else ())))
    except ValueError as error:
        _bad_input("--only", str(error))
    old = None if against is None else _read(against, "--compare")
    # Whoever stops this with SIGTERM wants its children gone as well.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(EXIT_TERMINATED))
    try:
        if profile:
            _profile(notifications, repeats, connections, as_json=as_json, as_markdown=as_markdown)
            return
        if earlier is not None:
            report = _read(earlier, "--from")
        else:
            from loadtest.bench.run import BenchOptions

            report = _measure(
                BenchOptions(
                    rows,
                    notifications or (QUICK_NOTIFICATIONS if quick else NOTIFICATIONS_DEFAULT),
                    repeats or (1 if quick else REPEATS_DEFAULT),
                    connections,
                    device_marks(devices_max) if cost or DEVICES in axes else (),
                    {name: marks_of(name, os.cpu_count()) for name in axes if name != DEVICES},
                ),
                quiet=as_json or as_markdown,
            )
    except (LoadTestError, SenderError, StoreError, OSError) as error:
        typer.echo(f"pushrig bench: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    _show(report, old, out, as_json=as_json, as_markdown=as_markdown)
    if plots is not None:
        from loadtest.bench.growth_plots import plots as pictures

        for name, picture in pictures(report).items():
            (plots / name).write_text(picture)
    if report.failed:
        raise typer.Exit(EXIT_FAILED)


def _bad_input(what: str, why: str) -> NoReturn:
    typer.echo(f"pushrig bench: {what}: {why}", err=True)
    raise typer.Exit(EXIT_BAD_INPUT)


def _read(file: Path, option: str) -> "BenchReport":
    from loadtest.bench.records import BenchReport

    try:
        return msgspec.json.decode(file.read_bytes(), type=BenchReport)
    except OSError as error:
        _bad_input(f"{option} {file}", error.strerror or "cannot be read")
    except msgspec.DecodeError as error:
        _bad_input(f"{option} {file}", f"this is no JSON of `pushrig bench` ({error})")


def _measure(options: "BenchOptions", *, quiet: bool) -> "BenchReport":
    from rich.console import Console

    from loadtest.bench.run import run_bench

    console = Console(stderr=True, quiet=quiet)
    with console.status("starting") as status:
        return run_bench(options, status.update)


def _show(
    report: "BenchReport", old: "BenchReport | None", out: Path | None, *, as_json: bool, as_markdown: bool
) -> None:
    from loadtest.bench.compare import compare

    text = msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"
    if out is not None:
        out.write_text(text)
    comparison = None if old is None else compare(old, report)
    if as_json:
        compared = None if comparison is None else msgspec.json.format(msgspec.json.encode(comparison)).decode() + "\n"
        sys.stdout.write(compared or text)
    elif as_markdown:
        from loadtest.bench.markdown import comparison_in_markdown, in_markdown

        sys.stdout.write(in_markdown(report))
        if comparison is not None:
            sys.stdout.write("\n" + comparison_in_markdown(comparison))
    else:
        from loadtest.bench.screen import show_comparison, show_report

        show_report(report)
        if comparison is not None:
            show_comparison(comparison)


def _profile(
    notifications: int | None, repeats: int | None, connections: int, *, as_json: bool, as_markdown: bool
) -> None:
    """The functions in a process of their own, which holds both ends; beside them the real processes."""
    from loadtest.bench.child import BenchError, Child
    from loadtest.bench.markdown import table_in_markdown
    from loadtest.bench.profile_step import Step, account_table
    from loadtest.bench.run import BenchOptions
    from loadtest.bench.screen import show_table

    options = BenchOptions(
        chosen(("simulator",)), notifications or NOTIFICATIONS_DEFAULT, repeats or REPEATS_DEFAULT, connections
    )
    report = _measure(options, quiet=as_json or as_markdown)
    with Child.module("hot_path", [], timeout_s=PROFILE_TIMEOUT_S) as child:
        child.wait()
        steps = msgspec.json.decode(child.output, type=list[Step])
    if not report.rows:
        raise BenchError("; ".join(failed.why for failed in report.failed))
    table = account_table(steps, report.rows[0])
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(steps)).decode() + "\n")
    elif as_markdown:
        sys.stdout.write(table_in_markdown(table) + "\n")
    else:
        show_table(table)
