"""The arguments of the ordinary load, among Locust's own and in its web form. `load_settings` checks what they hold."""

import math
from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from typing import Any

from locust.argument_parser import LocustArgumentParser

from loadtest.arrivals import BATCHES_PER_S
from loadtest.load_population import PROVIDERS, ProviderName
from loadtest.load_settings import (
    ARRIVALS,
    BATCH_SIZE_DEFAULT,
    CONNECTIONS_PER_USER_DEFAULT,
    DEVICES_DEFAULT,
    FCM_CONNECTIONS_FACTOR,
    SEED_DEFAULT,
    TOPIC_DEFAULT,
    Arrivals,
)
from loadtest.profile_shapes import SHAPES
from loadtest.profile_text import HALF_CEILING, MAX
from simulator.devices.mixed_population import FCM_SHARE_DEFAULT


def _number(kind: type[int] | type[float], low: int, high: float, says: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = kind(-1)
        if not low <= value < high:
            raise ArgumentTypeError(f"must be {says}, not {text!r}")
        return value

    return parse


class _Joined(Action):
    """A repeatable option as one text with commas: Locust's web form takes a list without a default for numbers."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: object, option_string: str | None = None
    ) -> None:
        before = getattr(namespace, self.dest, "")
        setattr(namespace, self.dest, f"{before},{values}" if before else str(values))


def group_in_form(parser: LocustArgumentParser, title: str, description: str = "") -> Callable[..., None]:
    """A group of arguments in the help; returns what adds one, as `add_argument` does, so that Locust's web form has it too.

    Locust shows in its form what is added to the parser itself, and not what is added to a group.
    """
    group = parser.add_argument_group(title, description)

    def add(*names: str, **settings: Any) -> None:
        action = group.add_argument(*names, **settings)
        action.include_in_web_ui = True  # as Locust marks those that are added to it

    return add


def add_options(parser: LocustArgumentParser, **_: object) -> None:
    """Our options among Locust's. Some can be set in the environment as well."""
    add = group_in_form(parser, "push load (pushrig)")
    count = _number(int, 1, math.inf, "a whole number from 1 upwards")
    index = _number(int, 0, math.inf, "a whole number from 0 upwards")
    rate = _number(float, 0, math.inf, "a number from 0 (no limit) upwards")
    share = _number(float, 0, math.nextafter(1, 2), "a share from 0 to 1")
    add(
        "--provider",
        default=ProviderName.APNS.value,
        choices=tuple(PROVIDERS),
        help="Whose devices: of apns, of fcm, or of both mixed.",
    )
    add("--devices", type=count, default=DEVICES_DEFAULT, help="Devices of the population, each sent to once.")
    add("--seed", type=index, default=SEED_DEFAULT, help="Names the population: the same seed, the same tokens.")
    add("--start-index", type=index, default=0, help="Index of the first device.")
    add("--topic", default=TOPIC_DEFAULT, env_var="PUSHRIG_TOPIC", help="Topic (bundle id) of the app.")
    add(
        "--apns-environment",
        default="production",
        env_var="PUSHRIG_ENVIRONMENT",
        choices=("production", "sandbox"),
        help="APNs environment that the tokens are minted for.",
    )
    add(
        "--fate",
        action=_Joined,
        default="",
        metavar="NAME=SHARE",
        help="Share (0 to 1) of devices with a fate, such as unregistered=0.02; repeatable, or a list with commas.",
    )
    add("--fcm-share", type=share, default=FCM_SHARE_DEFAULT, help="With both providers: share of devices of FCM.")
    add("--ios", type=share, default=0.0, metavar="SHARE", help="Share of FCM registrations on an APNs token.")
    add(
        "--batch-size",
        type=index,
        default=0,
        help=f"Notifications that a user takes on at once. 0: {BATCH_SIZE_DEFAULT:,}, or with a profile what makes "
        f"{BATCHES_PER_S} batches a second at its peak.",
    )
    add(
        "--connections-per-user",
        type=count,
        default=CONNECTIONS_PER_USER_DEFAULT,
        help=f"HTTP/2 connections that each user keeps; to FCM {FCM_CONNECTIONS_FACTOR} times as many.",
    )
    add(
        "--notifications-rate",
        type=rate,
        default=0.0,
        help="Notifications a second, all users together; short for --load-profile steady:rate=N.",
    )
    add(
        "--load-profile",
        default="",
        metavar="NAME:KEY=VALUE,...",
        help=f"What is scheduled when: {', '.join(SHAPES)}; parts joined by `+` and `then`. {MAX}: nothing is scheduled, each "
        f"user sends as fast as it is answered. Default: {HALF_CEILING.replace('%', '%%')} with a --ceiling, {MAX} without.",
    )
    add(
        "--arrivals",
        default=Arrivals.CONSTANT.value,
        choices=ARRIVALS,
        help="Batches come in time, or by chance (with the seed).",
    )
    add(
        "--ceiling",
        type=rate,
        default=0.0,
        help="Notifications a second that the simulator can answer: what rate=50%% of a profile counts from. 0: unknown.",
    )
    add("--payload", default="", metavar="FILE", help="APNs: JSON payload; {{name}}, {{country}} stand for attributes.")
    add("--message", default="", metavar="FILE", help="FCM: JSON message without a target; attributes likewise.")
    add("--key-file", default="", env_var="APNS_KEY_FILE", metavar="FILE", help="Private key of the provider token.")
    add("--key-id", default="", env_var="APNS_KEY_ID", help="Key id of the provider token.")
    add("--team-id", default="", env_var="APNS_TEAM_ID", help="Team id of the provider token.")
    add(
        "--service-account",
        default="",
        env_var="GOOGLE_APPLICATION_CREDENTIALS",
        metavar="FILE",
        help="Key file of the service account that sends over FCM.",
    )
    parser.add_argument(
        "--batches-file",
        default="",
        metavar="FILE",
        include_in_web_ui=False,
        help="CSV with a line for each batch of a profile: when it was scheduled, sent and answered. The second worker writes "
        "FILE-1, and so on.",
    )
    parser.add_argument(
        "--result-file",
        default="",
        metavar="FILE",
        include_in_web_ui=False,
        help="JSON with counts, latencies and CPU time of the campaign, written at the end (not by workers).",
    )
