"""The workloads that `pushrig load` is asked for, as arguments of Locust. Knows their names alone: Locust is not imported."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from loadtest.errors import LoadSettingsError
from loadtest.workloads.bad_delivery import HABITS_DEFAULT, habits_of
from loadtest.workloads.manner import PUSH

WORKLOAD, WORKLOAD_OPTION = "--workload", "--workload-option"
TOPICS = "topics"

Given = Mapping[str, str]
"""Options of workloads as they were given, by name."""


class Row(NamedTuple):
    """`options`: its own, as Locust has them behind `--`. `in_batches`: whether it cannot be scheduled, as they are given."""

    user_class: str
    options: tuple[str, ...] = ()
    in_batches: Callable[[Given], bool] = lambda given: False
    one_process: bool = False


def _always(given: Given) -> bool:
    return True


ROWS = {
    PUSH: Row("PushUser"),
    "payload-sizes": Row("PayloadSizesUser", ("payload-bytes",)),
    "uninstall-wave": Row("UninstallWaveUser", ("dead-from", "dead-to")),
    "connection-steps": Row("ConnectionStepsUser", ("connection-steps",), _always),
    "token-rotation": Row(
        "TokenRotationUser", ("rotate-token",), lambda given: given.get("rotate-token", "") == "batch"
    ),
    TOPICS: Row("TopicsUser", ("topic-target",), _always),
    "campaigns": Row("CampaignsUser", ("campaigns", "feedback", "uninstalls"), _always, one_process=True),
    "bad-sender": Row(
        "BadSenderUser",
        ("bad-habits",),
        lambda given: any(each.in_batches for each in habits_of(given.get("bad-habits", HABITS_DEFAULT))),
    ),
}
"""The workloads by name."""


@dataclass(frozen=True, slots=True)
class WorkloadsAsked:
    """`names`: of the workloads, none for the ordinary load. `arguments`: of Locust."""

    names: tuple[str, ...]
    arguments: tuple[str, ...]
    in_batches: bool
    one_process: bool

    @property
    def delivered_later(self) -> bool:
        """Some devices are reached after the last answer."""
        return TOPICS in self.names


def workloads_asked(names: Sequence[str], options: Sequence[str]) -> WorkloadsAsked:
    """Check names and options (NAME=VALUE each). Raises LoadSettingsError."""
    for name in names:
        if name not in ROWS:
            raise LoadSettingsError(WORKLOAD, f"there is no workload {name[:40]!r}; there are: {', '.join(ROWS)}")
    rows = {name: ROWS[name] for name in names}
    known = [option for row in rows.values() for option in row.options]
    given: dict[str, str] = {}
    for text in options:
        option, equals, value = text.partition("=")
        if not equals or option not in known:
            whose = f"options of {', '.join(rows)} are: {', '.join(known) or 'none'}" if rows else "name a --workload"
            raise LoadSettingsError(WORKLOAD_OPTION, f"cannot use {text[:60]!r}: write NAME=VALUE; {whose}")
        given[option] = value
    return WorkloadsAsked(
        names=tuple(rows),
        # `--option=value`: a value may begin with a hyphen.
        arguments=(
            *(f"--{option}={value}" for option, value in given.items()),
            *(row.user_class for row in rows.values()),
        ),
        in_batches=any(row.in_batches(given) for row in rows.values()),
        one_process=any(row.one_process for row in rows.values()),
    )
