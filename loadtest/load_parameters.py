"""The options of `pushrig load`: what each is called, takes, and says of itself in the help."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from loadtest.arrivals import BATCHES_PER_S
from loadtest.external.sender_options import OBSERVED_DEVICES_MAX
from loadtest.load_population import ProviderName
from loadtest.load_settings import BATCH_SIZE_DEFAULT, DEVICES_DEFAULT, FCM_CONNECTIONS_FACTOR, Arrivals
from loadtest.profile_shapes import SHAPES
from loadtest.profile_text import HALF_CEILING, MAX
from loadtest.user_count import ANSWER_S, USERS_IN_A_CLOSED_LOOP
from loadtest.workloads.asked import ROWS
from sender.pool import CONNECTIONS_MAX

PROCESSES_MAX = 64
USERS_MAX = 1_000

Provider: TypeAlias = Annotated[ProviderName, typer.Option(help="Whose devices; both mixes them in one population.")]
Devices: TypeAlias = Annotated[
    int | None,
    typer.Option(
        help=f"Devices of the population; each is sent one notification. {DEVICES_DEFAULT:,}, or as many as a profile that "
        "ends schedules.",
        show_default=False,
    ),
]
Profile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME:KEY=VALUE,...",
        help=f"What is scheduled when: {', '.join(SHAPES)}; parts joined by + and then. {MAX}: nothing is scheduled, each "
        f"user sends as fast as it is answered. Default: half of the ceiling, {HALF_CEILING}; {MAX} where that is not known.",
        show_default=False,
    ),
]
ArrivalsOfProfile: TypeAlias = Annotated[
    Arrivals, typer.Option(help="Batches of a profile come in time, or by chance (drawn from --seed).")
]
Plot: TypeAlias = Annotated[bool, typer.Option("--plot", help="Draw the profile, and send nothing.")]
Endpoint: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Provider to send to, such as https://localhost:8443; a simulator of our own is started unless given.",
        show_default=False,
    ),
]
ControlUrl: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL",
        envvar="PUSHRIG_CONTROL_URL",
        help="Control plane of the simulator at --endpoint, whose ledger is then compared. Repeatable: one for each of the "
        "simulators behind a balancer.",
        show_default=False,
    ),
]
ControlToken: TypeAlias = Annotated[
    str | None,
    typer.Option(envvar="PUSHRIG_CONTROL_TOKEN", help="Bearer token of these control planes.", show_default=False),
]
Processes: TypeAlias = Annotated[
    int,
    typer.Option(help=f"Processes of this machine that share the load, 1 to {PROCESSES_MAX}: Locust's workers."),
]
ExpectWorkers: TypeAlias = Annotated[
    int,
    typer.Option(
        help="Wait for so many of Locust's workers, started elsewhere by `locust --worker --master-host`, and have them "
        "share the load."
    ),
]
MasterPort: TypeAlias = Annotated[int, typer.Option(help="Port that these workers connect to, on all addresses.")]
Users: TypeAlias = Annotated[
    int | None,
    typer.Option(
        help=f"Locust users, 1 to {USERS_MAX}, each with own connections; {USERS_IN_A_CLOSED_LOOP}, or with a profile "
        f"as many as keep its peak in flight for {ANSWER_S:g} s.",
        show_default=False,
    ),
]
BatchSize: TypeAlias = Annotated[
    int | None,
    typer.Option(
        help=f"Notifications that a user takes on at once; what makes {BATCHES_PER_S} batches a second at the peak of the "
        f"profile, {BATCH_SIZE_DEFAULT:,} without one.",
        show_default=False,
    ),
]
ConnectionsPerUser: TypeAlias = Annotated[
    int,
    typer.Option(
        help=f"HTTP/2 connections that each user keeps, 1 to {CONNECTIONS_MAX}; to FCM, which takes 100 requests at a time "
        f"on one, {FCM_CONNECTIONS_FACTOR} times as many."
    ),
]
Rate: TypeAlias = Annotated[
    float,
    typer.Option(
        help="Notifications a second, all users together: short for --profile steady:rate=N. 0: as --profile."
    ),
]
Ceiling: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="measure|N|off",
        help="What the simulator can answer in a second, which 100% in a profile stands for. A simulator of our own is "
        "measured for a second or two before the run; of another one it is unknown unless you say it.",
    ),
]
Seed: TypeAlias = Annotated[int, typer.Option(help="Names the population: the same seed mints the same tokens.")]
StartIndex: TypeAlias = Annotated[int, typer.Option(help="Index of the first device.")]
Topic: TypeAlias = Annotated[str, typer.Option(help="Topic (bundle id) of the app.")]
Fate: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=SHARE",
        help="Share (0 to 1) of devices with a fate. Of either provider: unregistered; of APNs: expired, wrong-topic, "
        "wrong-environment, reregistered; of FCM: other-sender, stale, invalid-shape. Repeatable; the rest is active.",
        show_default=False,
    ),
]
FcmShare: TypeAlias = Annotated[float, typer.Option(help="With --provider both: share (0 to 1) of devices of FCM.")]
Ios: TypeAlias = Annotated[
    float, typer.Option(metavar="SHARE", help="Share (0 to 1) of FCM registrations that sit on an APNs token.")
]
Payload: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="APNs: JSON payload, in which {{name}}, {{locale}}, {{time_zone}}, {{country}} and {{app_version}} stand for "
        "attributes of the device; a short one of our own unless given.",
        show_default=False,
    ),
]
Message: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="FCM: JSON message without a target, with the same placeholders; one of our own unless given.",
        show_default=False,
    ),
]
Out: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Directory for the results: report.html, run.json, series.json, histograms.json, of Locust's users its HTML "
        "and CSV too. Made when missing; results of a run before are replaced.",
        show_default=False,
    ),
]
Html: TypeAlias = Annotated[Path | None, typer.Option(metavar="FILE", help="Locust's HTML report.", show_default=False)]
Csv: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="PREFIX", help="Locust's CSV files: PREFIX_stats.csv and others.", show_default=False),
]
FailIf: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if",
        metavar="CONDITION",
        help='Exit code 1 when it holds, such as "p99_ms > 250 or lost > 0", or when a figure that decides it is not '
        "known. Repeatable; docs/load-reports.md has the figures.",
        show_default=False,
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
Workload: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help=f"Users that send in another way: {', '.join(ROWS)}. Repeatable: they share the devices. docs/workloads.md",
        show_default=False,
    ),
]
WorkloadOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="Option of a --workload, such as dead-to=0.5.", show_default=False),
]
Sender: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COMMAND",
        help="A program of yours in place of Locust's users: a command line in which {tokens}, {endpoint} and others are "
        "filled in (docs/senders/README.md). Repeatable: they share the devices.",
        show_default=False,
    ),
]
Copies: TypeAlias = Annotated[int, typer.Option(help="How many of each --sender run at once.")]
TimeLimitS: TypeAlias = Annotated[
    float, typer.Option("--time-limit-s", help="What each --sender may take; it is ended then.")
]
Observe: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--observe/--no-observe",
        help="Follow every request of the --sender, which takes time of the simulator, or measure by samples. Default: "
        f"follow them up to {OBSERVED_DEVICES_MAX:,} devices.",
        show_default=False,
    ),
]
ShowOutput: TypeAlias = Annotated[
    bool, typer.Option("--show-output", help="Let what the --sender writes through to stderr.")
]
