"""The command `pushrig load`: Locust over a synthetic population, checked against the simulator's ledger."""

import math
from dataclasses import replace
from pathlib import Path

import msgspec
import typer

from loadtest import load_parameters as options
from loadtest.ending_signals import signals_interrupt
from loadtest.errors import LoadSettingsError, LoadTestError
from loadtest.external.sender_options import (
    TIME_LIMIT_S_DEFAULT,
    SendersAsked,
    load_with_senders,
    refuse_mixed_options,
)
from loadtest.load_measure import Measured, Target, measure, target
from loadtest.load_options import (
    EXIT_BAD_INPUT,
    EXIT_CANNOT_START,
    EXIT_INTERRUPTED,
    MEASURE,
    asked_for,
    ceiling_of,
    check_contents,
    check_control_urls,
    check_endpoint,
    check_parents,
    checked_population,
    draw,
    in_range,
    make_directory,
    schedule_of,
    shares_of,
    tell_failures,
    write_out,
)
from loadtest.load_parameters import PROCESSES_MAX, USERS_MAX
from loadtest.load_plan import CLOSED_LOOP, LoadPlan
from loadtest.load_population import PROVIDERS, LoadPopulation, ProviderName
from loadtest.load_settings import (
    BATCH_SIZE_MAX,
    CONNECTIONS_PER_USER_DEFAULT,
    SEED_DEFAULT,
    TOPIC_DEFAULT,
    Arrivals,
    batch_size_of,
    connections_to,
    default_profile,
)
from loadtest.locust_workers import MASTER_PORT_DEFAULT, LocustWorkers
from loadtest.profile_text import HALF_CEILING, MAX, asks_for_ceiling
from loadtest.user_count import body_bytes_of, users_for
from loadtest.workloads.asked import WORKLOAD
from sender.errors import SenderConfigurationError
from sender.pool import CONNECTIONS_MAX
from simulator.devices.draws import COUNT_MAX
from simulator.devices.mixed_population import FCM_SHARE_DEFAULT


def load(
    context: typer.Context,
    provider: options.Provider = ProviderName.APNS,
    devices: options.Devices = None,
    profile: options.Profile = None,
    arrivals: options.ArrivalsOfProfile = Arrivals.CONSTANT,
    plot: options.Plot = False,
    endpoint: options.Endpoint = None,
    control_url: options.ControlUrl = None,
    control_token: options.ControlToken = None,
    processes: options.Processes = 1,
    expect_workers: options.ExpectWorkers = 0,
    master_port: options.MasterPort = MASTER_PORT_DEFAULT,
    users: options.Users = None,
    batch_size: options.BatchSize = None,
    connections_per_user: options.ConnectionsPerUser = CONNECTIONS_PER_USER_DEFAULT,
    rate: options.Rate = 0.0,
    ceiling: options.Ceiling = MEASURE,
    seed: options.Seed = SEED_DEFAULT,
    start_index: options.StartIndex = 0,
    topic: options.Topic = TOPIC_DEFAULT,
    fate: options.Fate = None,
    fcm_share: options.FcmShare = FCM_SHARE_DEFAULT,
    ios: options.Ios = 0.0,
    payload: options.Payload = None,
    message: options.Message = None,
    out: options.Out = None,
    html: options.Html = None,
    csv: options.Csv = None,
    fail_if: options.FailIf = None,
    as_json: options.AsJson = False,
    workload: options.Workload = None,
    workload_option: options.WorkloadOption = None,
    sender: options.Sender = None,
    copies: options.Copies = 1,
    time_limit_s: options.TimeLimitS = TIME_LIMIT_S_DEFAULT,
    observe: options.Observe = None,
    show_output: options.ShowOutput = False,
) -> None:
    """Send a population its notifications with Locust, and account for each of them.

    Locust's tables, CSV and HTML count every notification; rejections are failures there, by reason. Here they are
    results: the exit code tells whether all devices are accounted for, in Locust as in the simulator's ledger.

    The loop is open: batches come when they are scheduled, whatever became of those before, and latency counts from there.
    Without a profile, half of the simulator's ceiling is scheduled. A run whose load generator fell behind its schedule is
    marked, and says so.

    With --sender, programs of yours send instead, as under `pushrig run`, and are measured by what the simulator sees: rate,
    times between requests, connections, what became of each device. No shell reads the command.

    A simulator of our own runs with --limits off: Google's quota of 600,000 messages a minute would be the result.

    With --endpoint, credentials come from the environment: APNS_KEY_FILE, APNS_KEY_ID, APNS_TEAM_ID,
    GOOGLE_APPLICATION_CREDENTIALS and SSL_CERT_FILE, which `pushrig env` prints for a running simulator.

    Examples:

      pushrig load --devices 1000000

      pushrig load --profile steady:rate=80% --devices 1000000 --out results

      pushrig load --profile max --devices 1000000

      pushrig load --profile steady:rate=5k --fail-if "p99_ms > 250 or lost > 0"

      pushrig load --profile "breaking-news:base=2k" --plot

      pushrig load --profile "ramp:to=20k,over=30s then steady:rate=20k,for=1m" --arrivals poisson

      pushrig load --provider both --ios 0.2 --fate unregistered=0.02

      pushrig load --fate unregistered=0.02 --fate wrong-topic=0.005 --html report.html --json

      eval "$(pushrig env)" && pushrig load --endpoint "$PUSHRIG_URL" --users 8 --rate 20000

      pushrig load --workload push --workload bad-sender --fate unregistered=0.1

      pushrig load --workload campaigns --workload-option uninstalls=0.05 --fate unregistered=0.1

      pushrig load --devices 20000 --sender "python send.py {tokens} {endpoint}" --copies 2

    Exit codes: 0 every device has a final answer, rejections are those that the fates explain, and Locust's request count
    is the ledger's; 1 something is not accounted for, or --fail-if holds; 2 bad input; 3 simulator, endpoint, control plane or
    Locust cannot be used; 130 interrupted before anything was sent, and with --sender at any time.

    With --sender: 1 also when one does not end with 0; 126, 127 when it cannot be run.
    """
    refuse_mixed_options(context, with_senders=bool(sender))
    from loadtest.report.condition_options import conditions_of

    conditions = conditions_of(fail_if or [])
    known_ceiling = ceiling_of(ceiling)
    if not 0 <= rate < math.inf:
        raise typer.BadParameter(f"must be a number from 0 (no limit) upwards, not {rate}", param_hint="--rate")
    if devices is not None:
        in_range("--devices", devices, 1, COUNT_MAX)
    workloads = asked_for(workload or [], workload_option or [], profiled=bool(profile or rate) and profile != MAX)
    text = profile or (MAX if rate or sender or workloads.in_batches else "")
    measured_later = endpoint is None and known_ceiling is None and asks_for_ceiling(text or HALF_CEILING) and not plot
    # A ceiling that is not measured yet changes rates, and not whether the text can be read.
    scheduled, count = schedule_of(text, rate, 1e6 if measured_later else known_ceiling or None, devices)
    if plot:
        draw(scheduled, count)
        return
    in_range("--start-index", start_index, 0, COUNT_MAX - count)
    wanted = LoadPopulation(
        provider=provider.value,
        seed=seed,
        count=start_index + count,
        topic=topic,
        fates=tuple(fate or ()),
        fcm_share=fcm_share,
        ios_share=ios,
    )
    check_parents(("--html", html), ("--csv", None if csv is None else Path(csv)), ("--out", out))
    if sender:
        population, shares = checked_population(wanted), shares_of(provider, fcm_share)
        asked = SendersAsked(
            sender, conditions, shares, known_ceiling, copies, time_limit_s, observe, show_output, as_json, out
        )
        if out is not None:
            make_directory(out)
        load_with_senders(asked, provider.value, population, start_index)
        return
    checked_population(wanted)
    in_range("--processes", processes, 1, PROCESSES_MAX)
    in_range("--expect-workers", expect_workers, 0, PROCESSES_MAX)
    in_range("--master-port", master_port, 1, 65_535)
    if processes > 1 and expect_workers:
        raise typer.BadParameter("starts workers of its own: leave --expect-workers out", param_hint="--processes")
    workers = LocustWorkers(processes, expect_workers, master_port)
    users_min = max(workers.count, len(workloads.names))
    if users is not None:
        if users < users_min > 1:
            raise typer.BadParameter(
                f"{users_min} at least: one for each process and each workload, not {users}", param_hint="--users"
            )
        in_range("--users", users, 1, USERS_MAX)
    if workloads.one_process and (processes > 1 or expect_workers):
        raise typer.BadParameter(
            f"{', '.join(workloads.names)}: runs in one process alone: leave --processes and --expect-workers out",
            param_hint=WORKLOAD,
        )
    if batch_size is not None:
        in_range("--batch-size", batch_size, 1, BATCH_SIZE_MAX)
    in_range("--connections-per-user", connections_per_user, 1, CONNECTIONS_MAX)
    check_contents(payload, message)
    if out is not None:
        make_directory(out)
        html, csv = html or out / "locust.html", csv or str(out / "locust")
    check_control_urls(context, control_url or [], alone=endpoint is None)
    if endpoint is not None:
        check_endpoint(endpoint)
    elif topic != topic.strip():
        raise typer.BadParameter("must not begin or end with a blank", param_hint="--topic")

    def run(target: Target) -> Measured:
        shares = shares_of(provider, fcm_share)
        found = target.ceiling(known_ceiling, shares)
        chosen = text or default_profile(found.per_s)
        if not text and chosen == MAX:
            typer.echo("pushrig load: the simulator's ceiling is not known: no schedule, --profile max", err=True)
        scheduled, count = schedule_of(chosen, rate, found.per_s, devices)
        size = batch_size or batch_size_of(scheduled, count)
        user_count = users or max(
            users_min, users_for(scheduled, count, shares, connections_per_user, body_bytes_of(payload, message))
        )
        population = checked_population(replace(wanted, count=start_index + count))
        plan = LoadPlan(
            provider=provider.value,
            endpoint=target.endpoint,
            seed=seed,
            devices=count,
            users=user_count,
            batch_size=size,
            connections=user_count
            * sum(connections_to(each, connections_per_user) for each in PROVIDERS[provider.value]),
            profile=f"steady:rate={rate:g}" if rate else chosen,
            arrivals=CLOSED_LOOP if scheduled is None else arrivals.value,
            processes=workers.count,
            workloads=workloads.names,
            delivered_later=workloads.delivered_later,
        )
        arguments = [
            *("--provider", provider.value, "--fcm-share", str(fcm_share), "--ios", str(ios)),
            *("--devices", str(count), "--seed", str(seed), "--start-index", str(start_index), "--topic", topic),
            *("--users", str(user_count), "--spawn-rate", str(user_count), "--batch-size", str(size)),
            *("--connections-per-user", str(connections_per_user), "--notifications-rate", str(rate)),
            *("--load-profile", chosen, "--arrivals", arrivals.value, "--ceiling", str(found.per_s or 0)),
            *workers.arguments(),
            *workloads.arguments,
            *(each for text in fate or [] for each in ("--fate", text)),
            *(() if payload is None else ("--payload", str(payload.absolute()))),
            *(() if message is None else ("--message", str(message.absolute()))),
            *(() if html is None else ("--html", str(html.absolute()))),
            *(() if csv is None else ("--csv", str(Path(csv).absolute()))),
            *(() if out is None else ("--batches-file", str(out.absolute() / "batches.csv"))),
        ]
        if expect_workers:
            typer.echo(
                f"pushrig load: waiting on port {master_port} for workers ({expect_workers}): locust --worker", err=True
            )
        return measure(
            target,
            plan,
            population,
            start_index,
            arguments,
            profile=scheduled,
            ceiling=found,
            name=plan.profile if out is None else out.absolute().name,
            quiet=as_json,
        )

    try:
        with signals_interrupt(), target(endpoint, control_url or [], control_token) as named:
            measured = run(named)
    except LoadSettingsError as error:  # as Locust has found: of a workload
        typer.echo(f"pushrig load: {error}", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from None
    except (LoadTestError, SenderConfigurationError) as error:
        typer.echo(f"pushrig load: {error}", err=True)
        raise typer.Exit(EXIT_CANNOT_START) from None
    except KeyboardInterrupt:  # before anything was sent
        typer.echo("pushrig load: interrupted", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    report = measured.report
    if out is not None:
        write_out(out, measured.results)
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        from loadtest.load_screen import show_report

        show_report(report)
    if report.behind is not None:
        typer.echo(f"pushrig load: BEHIND SCHEDULE: {report.behind}", err=True)
    tell_failures(report.failures, conditions, measured.results.run)
