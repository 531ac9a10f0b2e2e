"""firebase-admin for Node.js as it comes from npm, under `pushrig run`, in a program without any patch.

Version 13 asks Instance ID for topics, version 14 FCM. Both send batches over HTTP/2, all else over HTTP/1.1.
"""

import re
from pathlib import Path

import pytest

from tests.sdk.message_names import ANDROID, DRY_RUN, IOS, TOPIC, WEB
from tests.sdk.taken_steps import ROOT, Taken, take_steps
from tests.wire.independent.programs import path_of

HERE = Path(__file__).with_name("node").relative_to(ROOT)
GOOD = {"successCount": 1, "failureCount": 0, "errors": []}


@pytest.fixture(scope="module", params=["firebase-admin-13", "firebase-admin-14"])
def taken(request: pytest.FixtureRequest) -> Taken:
    """The program's steps with one version of the library; all tests look at one run of each."""
    node = path_of("node")
    if not (ROOT / HERE / "node_modules" / request.param).is_dir():
        pytest.skip(f"needs firebase-admin for Node.js: npm ci --prefix {HERE}")
    return take_steps([node, str(HERE / "program.mjs"), request.param])


def test_the_program_ends_well_and_the_summary_counts_it(taken: Taken) -> None:
    assert taken.exit_code == 0, taken.stderr
    assert re.search(r"^pushrig run: \d+ notifications judged: \d+ accepted, \d+ rejected \(", taken.stderr, re.M)
    assert "pushrig run: ledger of the devices with seed" in taken.stderr


def test_send_reaches_each_platform(taken: Taken) -> None:
    step = taken.step("sends")
    for name, form in zip(step["names"], (ANDROID, IOS, WEB), strict=True):
        assert re.fullmatch(form, name)
    assert step["accepted"] == [1, 1, 1]


def test_every_part_of_a_message_is_taken(taken: Taken) -> None:
    assert re.fullmatch(ANDROID, taken.step("full_message")["name"])


def test_a_dry_run_is_judged_and_reaches_nobody(taken: Taken) -> None:
    step = taken.step("dry_run")
    assert len(step["names"]) == 2
    assert all(re.fullmatch(DRY_RUN, name) for name in step["names"])
    assert step["accepted"] == [0]


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("unregistered", "messaging/registration-token-not-registered"),
        ("unregistered-ios", "messaging/registration-token-not-registered"),
        ("stale", "messaging/registration-token-not-registered"),
        ("other-sender", "messaging/mismatched-credential"),
        ("invalid-shape", "messaging/invalid-argument"),
        ("reserved-key", "messaging/invalid-argument"),
        ("too-large", "messaging/invalid-argument"),
        ("third-party", "messaging/third-party-auth-error"),
        ("disabled", "messaging/mismatched-credential"),  # what the library makes of every PERMISSION_DENIED
        ("bad-gateway", "messaging/unknown-error"),
    ],
)
def test_a_refusal_becomes_the_code_that_the_library_has_for_it(taken: Taken, case: str, code: str) -> None:
    found = taken.step("errors")[case]
    assert found["code"] == code
    assert found["text"]


def test_too_much_for_one_device_is_a_rate_exceeded(taken: Taken) -> None:
    assert taken.step("device_quota")["code"] == "messaging/message-rate-exceeded"


@pytest.mark.parametrize("way", ["sendEach", "multicast", "http1"])
def test_a_batch_has_the_answers_in_order(taken: Taken, way: str) -> None:
    batch = taken.step("batches")[way]
    assert (batch["successCount"], batch["failureCount"]) == (3, 3)
    for name, form in zip(batch["answers"][:3], (ANDROID, IOS, WEB), strict=True):
        assert re.fullmatch(form, name)
    assert batch["answers"][3:] == [
        "messaging/registration-token-not-registered",
        "messaging/mismatched-credential",
        "messaging/invalid-argument",
    ]


def test_a_hundred_at_once_over_one_connection_arrive_once_each(taken: Taken) -> None:
    assert taken.step("many") == {"successCount": 100, "once": 100}


def test_subscribing_tells_of_each_registration(taken: Taken) -> None:
    step = taken.step("topics")
    lost = [1, "messaging/registration-token-not-registered"]
    assert step["subscribed"] == {"successCount": 2, "failureCount": 1, "errors": [lost]}
    assert step["again"] == step["unsubscribed"] == GOOD
    assert step["calls"] in ([4, 0], [0, 2])


def test_messages_to_topics_and_conditions_reach_the_subscribers_alone(taken: Taken) -> None:
    step = taken.step("topics")
    assert re.fullmatch(TOPIC, step["name"]) and re.fullmatch(TOPIC, step["condition"])
    assert step["accepted"] == [1, 1]
    assert step["after_unsubscribing"] == [1, 2]


def test_the_project_s_quota_refuses_what_is_too_much(taken: Taken) -> None:
    step = taken.step("project_quota")
    assert (step["successCount"], step["code"]) == (100, "messaging/message-rate-exceeded")
    assert step["text"].startswith("Quota exceeded for quota metric 'Send requests'")


def test_an_access_token_that_grew_old_is_an_error_to_this_library(taken: Taken) -> None:
    """It renews by its own clock alone; and names every UNAUTHENTICATED so."""
    step = taken.step("expired_token")
    assert step["code"] == "messaging/third-party-auth-error"
    assert step["text"].startswith("Request had invalid authentication credentials.")
