"""The arguments of the workloads, among Locust's own and in its web form; each workload reads those that are its own."""

import math
from typing import Protocol

from locust.argument_parser import LocustArgumentParser

from loadtest.errors import LoadSettingsError
from loadtest.locust_options import group_in_form
from loadtest.workloads.bad_delivery import HABITS_DEFAULT, Habit

TARGETS = ("topic", "condition", "both")
"""How devices that follow topics are reached: the values of `--topic-target`."""


class WorkloadOptions(Protocol):
    """The arguments as Locust parsed them; from its web form numbers may come as text."""

    payload_bytes: str
    dead_from: float
    dead_to: float
    rotate_token: str
    bad_habits: str
    connection_steps: str
    campaigns: int
    feedback: str
    uninstalls: float
    topic_target: str


def add_options(parser: LocustArgumentParser, **_: object) -> None:
    """Add them."""
    add = group_in_form(parser, "workloads (pushrig)", "Each is of the user class that it names.")
    add(
        "--payload-bytes",
        default="200..max",
        metavar="SIZES",
        help="PayloadSizesUser: a size, a range, or several with their shares, such as 300=0.8,1000..max=0.2.",
    )
    add(
        "--dead-from",
        default=0.0,
        type=float,
        metavar="SHARE",
        help="UninstallWaveUser: share (0 to 1) of unregistered devices at the start, beside those of --fate.",
    )
    add("--dead-to", default=0.3, type=float, metavar="SHARE", help="UninstallWaveUser: and at the end.")
    add(
        "--rotate-token",
        default="connection",
        metavar="connection|batch|SECONDS",
        help="TokenRotationUser: a provider token (FCM: access token) of its own for each connection, a new one for each "
        "batch, or one after so many seconds.",
    )
    add(
        "--bad-habits",
        default=HABITS_DEFAULT,
        metavar="HABIT,...",
        help=f"BadSenderUser: some of {', '.join(Habit)}.",
    )
    add(
        "--connection-steps",
        default="1x1000,1x100,2x100,4x100,4x1000",
        metavar="CONNECTIONSxSTREAMS,...",
        help="ConnectionStepsUser: connections that each user keeps to a provider, and requests at a time on each.",
    )
    add("--campaigns", default=3, type=int, metavar="N", help="CampaignsUser: campaigns, one after another.")
    add(
        "--feedback",
        default="on",
        choices=("on", "off"),
        help="CampaignsUser: whether it leaves out the devices that answers have called gone.",
    )
    add(
        "--uninstalls",
        default=0.02,
        type=float,
        metavar="SHARE",
        help="CampaignsUser: share (0 to 1) of all devices that uninstall between one campaign and the next.",
    )
    add(
        "--topic-target",
        default="both",
        choices=TARGETS,
        help="TopicsUser: a batch follows one topic, or its halves one each, met by a condition; both: in turn.",
    )


def share_of(option: str, value: object) -> float:
    """A share from 0 to 1. Raises LoadSettingsError."""
    share = number_of(value)
    if not 0 <= share <= 1:
        raise LoadSettingsError(option, f"must be a share from 0 to 1, not {value!r}")
    return share


def number_of(value: object) -> float:
    """A number; not a number for anything else."""
    try:
        return float(str(value))
    except ValueError:
        return math.nan
