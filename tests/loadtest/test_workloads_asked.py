"""`pushrig load --workload`: names and options become Locust's, and every device is accounted for."""

import itertools
import json
import subprocess
import sys

import msgspec
import pytest

from loadtest.errors import LoadSettingsError
from loadtest.tally import OTHER_PARTS, PARTS_MAX, Tally
from loadtest.workloads.asked import ROWS, workloads_asked
from loadtest.workloads.part_lines import lines_of
from tests.loadtest.test_load_command import load
from tests.loadtest.test_load_report import ledger, outcome, report

_TABLE = """
import json
from loadtest.workloads.table import WORKLOADS
print(json.dumps({name: (each.__name__, each.needs_batches, each.one_process) for name, each in WORKLOADS.items()}))
"""


def test_the_names_are_those_of_the_user_classes() -> None:
    # Locust patches the standard library, so it is imported in a process of its own.
    said = subprocess.run([sys.executable, "-c", _TABLE], capture_output=True, text=True, check=True).stdout
    classes = {name: tuple(row) for name, row in json.loads(said).items()}
    assert {name: (row.user_class, row.one_process) for name, row in ROWS.items()} == {
        name: (user_class, one_process) for name, (user_class, _, one_process) in classes.items()
    }
    assert all(ROWS[name].in_batches({}) for name, (_, needs_batches, _) in classes.items() if needs_batches)


def test_workloads_become_classes_and_their_options_arguments() -> None:
    asked = workloads_asked(["push", "uninstall-wave"], ["dead-from=0.1", "dead-to=0.5"])
    assert asked.arguments == ("--dead-from=0.1", "--dead-to=0.5", "PushUser", "UninstallWaveUser")
    assert (asked.in_batches, asked.one_process, asked.delivered_later) == (False, False, False)
    assert workloads_asked(["payload-sizes"], ["payload-bytes=300=0.5,max=0.5"]).arguments == (
        "--payload-bytes=300=0.5,max=0.5",
        "PayloadSizesUser",
    )
    assert workloads_asked([], []).arguments == ()


@pytest.mark.parametrize(
    ("name", "options", "in_batches"),
    [
        ("push", [], False),
        ("topics", [], True),
        ("bad-sender", [], True),
        ("bad-sender", ["bad-habits=dead-again"], False),
        ("token-rotation", [], False),
        ("token-rotation", ["rotate-token=batch"], True),
    ],
)
def test_some_cannot_be_scheduled(name: str, options: list[str], in_batches: bool) -> None:
    assert workloads_asked([name], options).in_batches is in_batches


@pytest.mark.parametrize(
    ("names", "options", "says"),
    [
        (["waves"], [], "--workload: there is no workload 'waves'; there are: push, payload-sizes"),
        ([], ["dead-to=1"], "--workload-option: cannot use 'dead-to=1': write NAME=VALUE; name a --workload"),
        (["topics"], ["dead-to=1"], "options of topics are: topic-target"),
        (["topics"], ["topic-target"], "cannot use 'topic-target': write NAME=VALUE"),
        (["push"], ["x=1"], "options of push are: none"),
        (["bad-sender"], ["bad-habits=rude"], "--bad-habits: there is no habit 'rude'"),
    ],
)
def test_what_cannot_be_asked_for_is_explained(names: list[str], options: list[str], says: str) -> None:
    with pytest.raises(LoadSettingsError) as caught:
        workloads_asked(names, options)
    assert says in str(caught.value)


def test_parts_are_bounded_and_add_up() -> None:
    one, other = Tally(), Tally()
    for number in range(PARTS_MAX + 5):
        one.part(f"campaign {number}").accepted += 1
    assert len(one.parts) == PARTS_MAX + 1
    assert one.parts[OTHER_PARTS].accepted == 5
    other.part("campaign 1").accepted = 7
    other.further_accepted, other.further_rejected, other.outside_ledger = 3, 2, 1
    one.add(other)
    one.add(other)
    assert one.parts["campaign 1"].accepted == 15
    assert (one.further_accepted, one.further_rejected, one.outside_ledger) == (6, 4, 2)
    assert msgspec.json.decode(msgspec.json.encode(one), type=Tally) == one


def test_a_part_is_a_line_and_ordinary_users_alone_are_none() -> None:
    push = Tally(
        sent=100, accepted=90, rejected={"Unregistered": 10}, started_at_s=1.0, ended_at_s=3.0, latency_ms={5: 100}
    )
    assert lines_of({"push": push}) == []
    bad = Tally(sent=120, accepted=80, rejected={"Unregistered": 20}, given_up={"503": 1}, retried=20, started_at_s=0.5)
    assert lines_of({"push": push, "idle": Tally(started_at_s=0.1), "bad-sender": bad}) == [
        "bad-sender: 100 notifications, 20 rejected (20.0%), 20 repeats, 1 given up",
        "push: 100 notifications, 10 rejected (10.0%), 50 a second, p50 5 ms, p99 5 ms",
    ]


def test_what_devices_got_more_than_once_is_told_from_what_the_ledger_counts() -> None:
    tally = Tally(
        sent=198,
        accepted=196,
        rejected={"Unregistered": 2},
        further_accepted=98,
        started_at_s=1.0,
        ended_at_s=3.0,
        cpu_s=1.0,
    )
    again = outcome(tally=tally, locust_requests=198)
    known = ledger(accepted_once=0, accepted_more=98)
    assert report(again, known).failures == []
    assert report(again, known).unfinished == 0
    [failure] = report(outcome(tally=tally, locust_requests=197), known).failures
    assert failure == "Locust counted 99 requests, and 98 to devices that had one before, the ledger 100 devices"


def test_devices_that_cannot_follow_a_topic_are_not_missed_in_the_ledger() -> None:
    tally = Tally(
        sent=1, accepted=90, rejected={"subscribe: NOT_FOUND": 10}, outside_ledger=10, started_at_s=1.0, ended_at_s=3.0
    )
    told = outcome(tally=tally, explained=["subscribe: NOT_FOUND"])
    known = ledger(accepted_once=90, rejected=0, never=10, answers_by_reason={})
    assert report(told, known).failures == []
    assert report(outcome(tally=tally), known).failures == [
        "10 rejections with subscribe: NOT_FOUND, which no fate of the population explains"
    ]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--workload", "topics", "--provider", "fcm"), {"topic", "condition"}),
        (
            ("--workload", "campaigns", "--workload-option", "campaigns=2", "--workload-option", "uninstalls=0.05"),
            {"campaign 1", "campaign 2"},
        ),
    ],
)
def test_every_device_is_accounted_for(arguments: tuple[str, ...], parts: set[str]) -> None:
    done = load("--devices", "4000", "--ceiling", "off", "--fate", "unregistered=0.1", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["arrivals"], figures["failures"], figures["unfinished"]) == ("closed", [], 0)
    assert figures["workloads"] == [each for before, each in itertools.pairwise(arguments) if before == "--workload"]
    assert set(figures["parts"]) == parts
    assert sum(part["notifications"] for part in figures["parts"].values()) == figures["locust_requests"]
    assert all(0 < part["rejected_share"] < 0.2 for part in figures["parts"].values())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--workload", "topics", "--profile", "steady:rate=100"), "sends batch after batch"),
        (("--workload", "campaigns", "--processes", "2"), "runs in one process alone"),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_starts(arguments: tuple[str, ...], says: str) -> None:
    done = load(*arguments)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.replace("│", " ").split())
