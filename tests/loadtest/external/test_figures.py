"""What does not add up, and which side was the limit."""

from dataclasses import replace

import msgspec
import pytest

from loadtest.external.control_view import Counted
from loadtest.external.figures import (
    SAID_SHOWN_MAX,
    SenderFigures,
    bottleneck,
    failures_of,
    sender_figures,
)
from loadtest.load_report import LedgerFigures
from loadtest.replay.rows import Ending
from simulator.devices.fates import Fate

LEDGER = LedgerFigures(9, 0, 1, 0)
WELL = SenderFigures("x", 10, 0, 1.0, False, "done", LEDGER)
COUNTED = Counted(10, 9, 1, {"Unregistered": 1}, 0, 1, 0, 0, 0, 0, 0, 0, {})
FATES = ((Fate.UNREGISTERED, 0.1),)


def failures(sender: SenderFigures = WELL, ledger: LedgerFigures = LEDGER, counted: Counted = COUNTED) -> list[str]:
    return failures_of([WELL, sender], ledger, counted, FATES, 0, 60)


def test_a_run_in_which_all_is_accounted_for_has_no_failures() -> None:
    assert failures() == []


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        (
            failures(sender=msgspec.structs.replace(WELL, exit_code=3, said="KeyError")),
            "sender 2 ended with exit code 3: KeyError",
        ),
        (
            failures(sender=msgspec.structs.replace(WELL, exit_code=143, overdue=True, said="")),
            "sender 2 had not ended after 60 s and was ended",
        ),
        (failures(ledger=LedgerFigures(8, 0, 1, 1)), "1 devices were never answered"),
        (failures(ledger=LedgerFigures(8, 1, 1, 0)), "1 devices were notified more than once"),
        (
            failures(counted=msgspec.structs.replace(COUNTED, rejected_by_reason={"BadPath": 2, "Unregistered": 1})),
            "2 rejections with BadPath, which no fate of the population explains",
        ),
    ],
)
def test_one_thing_amiss_is_told(failing: list[str], said: str) -> None:
    assert failing == [said]


def test_devices_that_no_ledger_can_know_are_not_missed() -> None:
    ledger = LedgerFigures(9, 0, 0, 1)
    assert failures_of([WELL], ledger, COUNTED, FATES, 1, 60) == []


def test_the_last_line_of_a_sender_is_kept_and_cut() -> None:
    ending = Ending(1, 2.0, False, "Traceback\n" + "x" * 1_000 + "\n \n")
    assert sender_figures("y", 1, ending, LEDGER) == SenderFigures("y", 1, 1, 2.0, False, "x" * SAID_SHOWN_MAX, LEDGER)
    assert sender_figures("y", 1, replace(ending, said=""), LEDGER).said == ""


@pytest.mark.parametrize(
    ("senders_cpu_s", "simulator_cpu_s", "found"),
    [
        (2.0, 9.0, "simulator"),
        (9.0, 2.0, "sender"),
        (8.0, 8.0, "neither"),
        (2.0, None, "neither"),
    ],
)
def test_the_side_that_computes_all_the_time_is_the_limit(
    senders_cpu_s: float, simulator_cpu_s: float | None, found: str
) -> None:
    assert bottleneck(10.0, [10.0], senders_cpu_s, simulator_cpu_s, 4) == found


def test_many_senders_share_the_cores_with_the_simulator() -> None:
    assert bottleneck(10.0, [10.0, 10.0], 10.0, 8.0, 2) == "machine"
    assert bottleneck(10.0, [10.0, 10.0], 18.0, 2.0, 2) == "sender"
    assert bottleneck(0.0, [], 0.0, 0.0, 2) == "neither"


@pytest.mark.parametrize(
    ("said", "exit_code", "told"),
    [
        ("SyntaxError: x\n\nNode.js v20", 1, "SyntaxError: x"),
        ("SyntaxError: x\n\nNode.js v20", 0, "Node.js v20"),
        ("an error\n" + "line\n" * 20, 1, "line"),
        ("one error\nError: two\n", 1, "Error: two"),
    ],
)
def test_what_speaks_of_an_error_goes_before_what_was_said_after_it(said: str, exit_code: int, told: str) -> None:
    assert sender_figures("y", 1, Ending(exit_code, 2.0, False, said), LEDGER).said == told
