"""firebase-admin for Python as it comes from PyPI, under `pushrig run`, in a program without any patch."""

import re
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from tests.sdk.message_names import ANDROID, DRY_RUN, IOS, TOPIC, WEB
from tests.sdk.taken_steps import Taken, take_steps


@pytest.fixture(scope="module")
def taken() -> Taken:
    """The program's steps; all tests look at one run."""
    # This version of the library warns that registration tokens give way to installation ids.
    return take_steps([sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.sdk.firebase_admin_program"])


def test_the_program_ends_well_and_the_summary_counts_it(taken: Taken) -> None:
    assert taken.exit_code == 0, taken.stderr
    assert re.search(r"^pushrig run: \d+ notifications judged: \d+ accepted, \d+ rejected \(", taken.stderr, re.M)
    assert "pushrig run: ledger of the devices with seed" in taken.stderr
    assert "Traceback" not in taken.stderr


def test_send_reaches_each_platform_by_token_and_by_installation_id(taken: Taken) -> None:
    step = taken.step("sends")
    for name, form in zip(step["names"], (ANDROID, IOS, WEB), strict=True):
        assert re.fullmatch(form, name)
    assert re.fullmatch(ANDROID, step["to_fid"])
    assert step["accepted"] == [1, 1, 1, 1]


def test_every_part_of_a_message_is_taken(taken: Taken) -> None:
    assert re.fullmatch(ANDROID, taken.step("full_message")["name"])


def test_a_dry_run_is_judged_and_reaches_nobody(taken: Taken) -> None:
    step = taken.step("dry_run")
    assert len(step["names"]) == 3
    assert all(re.fullmatch(DRY_RUN, name) for name in step["names"])
    assert step["accepted"] == 0


@pytest.mark.parametrize(
    ("case", "error", "code", "status"),
    [
        ("unregistered", "UnregisteredError", "NOT_FOUND", 404),
        ("unregistered-ios", "UnregisteredError", "NOT_FOUND", 404),
        ("stale", "UnregisteredError", "NOT_FOUND", 404),
        ("other-sender", "SenderIdMismatchError", "PERMISSION_DENIED", 403),
        ("invalid-shape", "InvalidArgumentError", "INVALID_ARGUMENT", 400),
        ("reserved-key", "InvalidArgumentError", "INVALID_ARGUMENT", 400),
        ("too-large", "InvalidArgumentError", "INVALID_ARGUMENT", 400),
        ("third-party", "ThirdPartyAuthError", "UNAUTHENTICATED", 401),
        ("disabled", "PermissionDeniedError", "PERMISSION_DENIED", 403),
        ("bad-gateway", "UnknownError", "UNKNOWN", 502),
    ],
)
def test_a_refusal_becomes_the_error_that_the_library_has_for_it(
    taken: Taken, case: str, error: str, code: str, status: int
) -> None:
    found = taken.step("errors")[case]
    assert (found["error"], found["code"], found["status"]) == (error, code, status)
    assert found["text"]


def test_too_much_for_one_device_is_a_quota_exceeded(taken: Taken) -> None:
    found = taken.step("device_quota")
    assert (found["error"], found["status"]) == ("QuotaExceededError", 429)


@pytest.mark.parametrize("way", ["send_each", "send_each_async", "multicast", "multicast_async"])
def test_a_batch_has_the_answers_in_order(taken: Taken, way: str) -> None:
    batch: Mapping[str, Any] = taken.step("batches")[way]
    assert (batch["success_count"], batch["failure_count"]) == (3, 3)
    for name, form in zip(batch["answers"][:3], (ANDROID, IOS, WEB), strict=True):
        assert re.fullmatch(form, name)
    assert batch["answers"][3:] == ["UnregisteredError", "SenderIdMismatchError", "InvalidArgumentError"]


def test_subscribing_tells_of_each_registration(taken: Taken) -> None:
    step = taken.step("topics")
    one_of_two = {"success_count": 1, "failure_count": 1, "errors": [[1, "NOT_FOUND"]]}
    good = {"success_count": 1, "failure_count": 0, "errors": []}
    assert step["subscribed"] == step["legacy"] == one_of_two
    assert step["async"] == step["async_again"] == good
    unsubscribing = ("unsubscribed", "unsubscribed_again", "unsubscribed_async", "unsubscribed_legacy")
    assert [step[way] for way in unsubscribing] == [good] * 4
    assert step["followed"] == [0, 0, 0]


def test_both_interfaces_to_topics_were_asked(taken: Taken) -> None:
    """`subscribe_to_topic` asks FCM for each registration; older versions ask Instance ID, for all at once."""
    assert taken.step("topics")["calls"] == [4, 1]


def test_messages_to_topics_and_conditions_reach_the_subscribers_alone(taken: Taken) -> None:
    step = taken.step("topics")
    assert re.fullmatch(TOPIC, step["name"]) and re.fullmatch(TOPIC, step["condition"])
    assert step["after_topic"] == [1, 1, 0]
    assert step["after_condition"] == [1, 1, 1]


def test_an_access_token_that_grew_old_is_renewed_unnoticed(taken: Taken) -> None:
    step = taken.step("expired_token")
    assert re.fullmatch(ANDROID, step["name"])
    assert [re.fullmatch(ANDROID, name) is not None for name in step["async"]] == [True]
    assert (step["renewals"], step["renewals_async"], step["refused"]) == (1, 1, 2)


def test_the_project_s_quota_ends_a_batch_and_makes_send_wait(taken: Taken) -> None:
    step = taken.step("project_quota")
    assert (step["error"], step["status"], step["retry_after"]) == ("ResourceExhaustedError", 429, "1")
    assert step["refused"] == 2  # the last of the batch, and the first attempt of `send`
    assert re.fullmatch(ANDROID, step["name"])
