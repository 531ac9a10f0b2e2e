"""The command `pushrig tokens`: mint the devices of a population and write them to a file or to stdout."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Annotated

import msgspec
import typer

from loadtest.load_population import PROVIDERS, ProviderName
from loadtest.token_files import OutputRefusedError, Progress, format_of, replacing, write_file, write_jsonl
from simulator.devices.draws import COUNT_MAX, DEFAULT_EPOCH_MS, Devices, FateShares, parse_fates
from simulator.devices.mixed_population import FCM_SHARE_DEFAULT, MixedPopulation
from simulator.devices.registration_space import RegistrationPopulation
from simulator.devices.token_space import Environment, Population

EXIT_WRITE_FAILED = 1
EXIT_BAD_INPUT = 2
PROGRESS_ROWS_MIN = 50_000  # Below this the work is done before a bar could be read.
STDOUT = "-"


class EnvironmentName(StrEnum):
    """APNs environments by name."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"


class TokensSummary(msgspec.Struct):
    """What `--json` prints.

    `providers`, `fates`: devices by provider and by fate, active included. `environment`: of APNs tokens, null where there
    are none. `size_bytes`: of the file.
    """

    out: str
    provider: str
    topic: str
    environment: str | None
    seed: int
    start_index: int
    count: int
    epoch_ms: int
    providers: dict[str, int]
    fates: dict[str, int]
    elapsed_s: float
    rate_per_s: float
    size_bytes: int


def tokens(
    count: Annotated[int, typer.Option(help="Devices to mint, up to 2^40.")],
    topic: Annotated[str, typer.Option(help="Topic (bundle id) of the app, such as com.example.app.")],
    out: Annotated[
        str,
        typer.Option(help="File to write: .db (device store), .csv or .jsonl; - writes JSON lines to stdout."),
    ],
    provider: Annotated[
        ProviderName, typer.Option(help="Whose tokens to mint; both mixes them in one population.")
    ] = ProviderName.APNS,
    fcm_share: Annotated[
        float, typer.Option(help="With --provider both: share (0 to 1) of devices whose token is FCM's.")
    ] = FCM_SHARE_DEFAULT,
    ios: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Share (0 to 1) of FCM registrations that sit on an APNs token."),
    ] = 0.0,
    seed: Annotated[
        int,
        typer.Option(
            help="Names the population, 0 to 2^64-1, with FCM tokens to 2^32-1: the same seed mints the same devices."
        ),
    ] = 1,
    environment: Annotated[
        EnvironmentName, typer.Option(help="Where APNs tokens are valid.")
    ] = EnvironmentName.PRODUCTION,
    fate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SHARE",
            help="Share (0 to 1) of devices with a fate. Of either provider: unregistered; of APNs: expired, "
            "wrong-topic, wrong-environment, reregistered (was gone, came back: keep it); of FCM: other-sender, "
            "stale (270 days without contact), invalid-shape (damaged text). Counts among the devices of the providers "
            "that know it. Repeatable; the rest is active.",
            show_default=False,
        ),
    ] = None,
    start_index: Annotated[int, typer.Option(help="Index of the first device, to mint a population in parts.")] = 0,
    epoch_ms: Annotated[
        int,
        typer.Option(help="Instant (ms since 1970) after which devices registered; as given to pushrig serve."),
    ] = DEFAULT_EPOCH_MS,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    json_summary: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
) -> None:
    """Mint synthetic device tokens, with people behind them.

    A token carries its seed, index and fate: any pushrig simulator answers it
    as that fate asks, without a table, and the same options give the same
    tokens on every machine. Files get their name when they are whole.

    Columns of .csv: token, provider, topic, registered_at_ms, name, locale,
    time_zone, country, app_version. In .jsonl the last five stand in an
    object named attributes.

    Examples:

    \b
      pushrig tokens --count 100000 --topic com.example.app \\
        --fate unregistered=0.02 --out devices.db
      pushrig tokens --count 1000000 --seed 7 --topic com.example.app \\
        --fate unregistered=0.02 --fate wrong-topic=0.005 \\
        --out devices.csv --json
      pushrig tokens --count 100000 --topic com.example.app \\
        --provider both --fcm-share 0.7 --ios 0.1 --fate stale=0.01 \\
        --out devices.db
      pushrig tokens --count 10 --topic com.example.app --out - | jq -r .token

    Exit codes: 0 done, 1 the file could not be written, 2 bad options.
    """
    _require_fit(provider, fcm_share, ios, environment)
    stop = _end(count, start_index)
    shares = _shares(fate or [], provider)
    population = _population(provider, seed, stop, topic, environment, shares, fcm_share, ios, epoch_ms)
    if out == STDOUT:
        if json_summary:
            raise typer.BadParameter(
                "stdout takes the rows already (--out -); leave one of them out", param_hint="--json"
            )
        _write_to_stdout(population, start_index, stop)
        return
    path = Path(out)
    started_s = perf_counter()
    size_bytes = _write_to_file(path, population, start_index, stop, force=force)
    elapsed_s = perf_counter() - started_s
    fates = population.fate_counts(start_index, stop)
    summary = TokensSummary(
        out=out,
        provider=provider.value,
        topic=topic,
        environment=None if provider is ProviderName.FCM else environment.value,
        seed=seed,
        start_index=start_index,
        count=count,
        epoch_ms=epoch_ms,
        providers={
            each.value: devices for each, devices in Counter(population.providers(start_index, stop)).most_common()
        },
        fates={each.wire_name: devices for each, devices in Counter(fates).most_common()},
        elapsed_s=round(elapsed_s, 3),
        rate_per_s=round(count / elapsed_s, 1),
        size_bytes=size_bytes,
    )
    typer.echo(msgspec.json.encode(summary).decode() if json_summary else _sentence(summary))


def _require_fit(provider: ProviderName, fcm_share: float, ios: float, environment: EnvironmentName) -> None:
    """Raise `typer.BadParameter` (exit code 2) for an option that says nothing of the tokens that were asked for."""
    if provider is not ProviderName.BOTH and fcm_share != FCM_SHARE_DEFAULT:
        raise typer.BadParameter(f"tokens of {provider} are not mixed; use --provider both", param_hint="--fcm-share")
    if provider is ProviderName.APNS and ios:
        raise typer.BadParameter(
            "only FCM registrations sit on another token; use --provider fcm or both", param_hint="--ios"
        )
    if provider is ProviderName.FCM and environment is not EnvironmentName.PRODUCTION:
        raise typer.BadParameter("FCM tokens belong to no environment; leave it out", param_hint="--environment")
    for share, option in ((fcm_share, "--fcm-share"), (ios, "--ios")):
        if not 0 <= share <= 1:  # Also refuses what is not a number.
            raise typer.BadParameter(f"must be from 0 to 1, not {share}", param_hint=option)


def _shares(fates: list[str], provider: ProviderName) -> FateShares:
    try:
        return parse_fates(fates, PROVIDERS[provider])
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--fate") from None


def _end(count: int, start_index: int) -> int:
    """The index after the last one. Raises `typer.BadParameter` when there is no room for so many devices."""
    if count < 1:
        raise typer.BadParameter(f"must be at least 1, not {count}", param_hint="--count")
    if count > COUNT_MAX:
        raise typer.BadParameter(f"must be at most {COUNT_MAX} (2^40), not {count}", param_hint="--count")
    if start_index < 0:
        raise typer.BadParameter(f"must be at least 0, not {start_index}", param_hint="--start-index")
    if start_index + count > COUNT_MAX:
        raise typer.BadParameter(
            f"{start_index} + {count} devices pass the last index, {COUNT_MAX - 1}; lower it or --count",
            param_hint="--start-index",
        )
    return start_index + count


def _population(
    provider: ProviderName,
    seed: int,
    count: int,
    topic: str,
    environment: EnvironmentName,
    fates: FateShares,
    fcm_share: float,
    ios: float,
    epoch_ms: int,
) -> Devices:
    """The population that the options ask for. Raises `typer.BadParameter` (exit code 2) for the first faulty one."""
    where = Environment[environment.name]
    try:
        match provider:
            case ProviderName.APNS:
                return Population(seed, count, topic, where, fates, epoch_ms)
            case ProviderName.FCM:
                return RegistrationPopulation(seed, count, topic, fates, ios, epoch_ms)
            case ProviderName.BOTH:
                return MixedPopulation(seed, count, topic, where, fates, ios, fcm_share, epoch_ms)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _write_to_file(path: Path, population: Devices, start: int, stop: int, *, force: bool) -> int:
    """Write the file and return its size in bytes. Raises `typer.BadParameter` or exits when it cannot."""
    try:
        file_format = format_of(path)
        with (
            replacing(path, force=force) as partial,
            _progress(stop - start, path.name) as progress,
        ):
            write_file(partial, file_format, population, start, stop, progress)
        return path.stat().st_size
    except OutputRefusedError as error:
        raise typer.BadParameter(str(error), param_hint="--out") from None
    except OSError as error:
        typer.echo(f"{path} could not be written: {error.strerror or error}", err=True)
        raise typer.Exit(EXIT_WRITE_FAILED) from None


def _write_to_stdout(population: Devices, start: int, stop: int) -> None:
    stdout = sys.stdout.buffer
    try:
        with _progress(stop - start, "stdout", hidden=sys.stdout.isatty()) as progress:
            write_jsonl(stdout, population, start, stop, progress)
        stdout.flush()
    except BrokenPipeError:
        # The reader has had enough (`| head`), which is no failure. Python flushes stdout again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        typer.echo(f"stdout could not be written: {error.strerror or error}", err=True)
        raise typer.Exit(EXIT_WRITE_FAILED) from None


@contextmanager
def _progress(count: int, name: str, *, hidden: bool = False) -> Iterator[Progress]:
    """A bar on stderr while long work runs, if anyone can see it there."""
    if hidden or count < PROGRESS_ROWS_MIN or not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Writing {name}", total=count)
        yield lambda done: bar.update(task, completed=done)


def _sentence(summary: TokensSummary) -> str:
    fates = ", ".join(f"{devices:,} {name}" for name, devices in summary.fates.items())
    providers = ", ".join(f"{devices:,} of {name}" for name, devices in summary.providers.items())
    mix = f"{providers}; " if len(summary.providers) > 1 else ""
    return (
        f"{summary.out}: {summary.count:,} devices ({mix}{fates}), {summary.size_bytes / 1e6:,.1f} MB, "
        f"in {summary.elapsed_s:,.1f} s ({summary.rate_per_s:,.0f} a second)"
    )
