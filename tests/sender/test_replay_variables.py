"""`pushrig send` under `pushrig replay`: what it reads from its environment, and what it writes."""

from pathlib import Path

import pytest

from sender.errors import SenderConfigurationError
from sender.replay_variables import is_replayed, prepare, write_results
from sender.segment import parse
from sender.store.device_store import DeviceStore
from sender.store.records import Outcome, State

TOPIC = "com.example.app"
APNS_TOKENS = ["ab" * 32, "cd" * 32, "ef" * 32]
NOW_MS = 1_760_000_000_000


def variables(folder: Path, **changed: str) -> dict[str, str]:
    lines = "".join(f"{token},{NOW_MS - 1_000}\n" for token in APNS_TOKENS)
    (folder / "devices.csv").write_text(f"token,registered_at_ms\n{lines}")
    (folder / "state").mkdir(exist_ok=True)
    return {
        "PUSHRIG_TOKENS": str(folder / "tokens.txt"),
        "PUSHRIG_DEVICES": str(folder / "devices.csv"),
        "PUSHRIG_STATE": str(folder / "state"),
        "PUSHRIG_PROVIDER": "apns",
        "PUSHRIG_RESULTS": str(folder / "results"),
        **changed,
    }


def test_only_a_replay_sets_them(tmp_path: Path) -> None:
    given = variables(tmp_path)
    assert is_replayed(given)
    assert not is_replayed({"PUSHRIG_TOPIC": TOPIC, "PUSHRIG_URL": "https://localhost"})


def test_devices_are_imported_once_and_each_run_is_a_campaign_of_its_own(tmp_path: Path) -> None:
    first = prepare(variables(tmp_path, PUSHRIG_RUN="1"), TOPIC)
    second = prepare(variables(tmp_path, PUSHRIG_RUN="2"), TOPIC)
    assert first.store == second.store
    assert first.campaign != second.campaign
    with DeviceStore.open(first.store) as store:
        assert store.counts().devices == len(APNS_TOKENS)
        assert {row.topic for row in store.rows()} == {TOPIC}


def test_what_is_sent_goes_by_the_provider(tmp_path: Path) -> None:
    assert b"aps" in prepare(variables(tmp_path), TOPIC).content.read_bytes()
    given = variables(tmp_path, PUSHRIG_PROVIDER="fcm")
    (tmp_path / "devices.csv").write_text("token,registered_at_ms\nfid:APA91b_x,1\n")
    assert b"notification" in prepare(given, TOPIC).content.read_bytes()


def test_patience_leaves_room_for_the_repeat(tmp_path: Path) -> None:
    assert prepare(variables(tmp_path), TOPIC).answer_timeout_s is None
    assert prepare(variables(tmp_path, PUSHRIG_PATIENCE_S="20"), TOPIC).answer_timeout_s == 10.0


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"PUSHRIG_PROVIDER": "wns"}, "PUSHRIG_PROVIDER must be apns or fcm"),
        ({"PUSHRIG_PROVIDER": ""}, "PUSHRIG_PROVIDER is not set"),
        ({"PUSHRIG_PATIENCE_S": "long"}, "PUSHRIG_PATIENCE_S must be a number of seconds"),
        ({"PUSHRIG_DEVICES": "/nowhere/devices.csv"}, "/nowhere/devices.csv: No such file"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, changed: dict[str, str], says: str) -> None:
    with pytest.raises(SenderConfigurationError, match=says):
        prepare(variables(tmp_path, **changed), TOPIC)


def test_a_table_of_another_shape_is_refused(tmp_path: Path) -> None:
    given = variables(tmp_path)
    (tmp_path / "devices.csv").write_text("token\nab\n")
    with pytest.raises(SenderConfigurationError, match="columns token,registered_at_ms"):
        prepare(given, TOPIC)


def test_results_tell_what_came_of_each_and_which_tokens_are_given_up(tmp_path: Path) -> None:
    replayed = prepare(variables(tmp_path), TOPIC)
    with DeviceStore.open(replayed.store) as store:
        campaign = store.begin_campaign(replayed.campaign, TOPIC, b"digest", parse(""), NOW_MS, key=1)
        due = store.exchange(campaign, (), 10, NOW_MS).due
        ends = [
            (State.ACCEPTED, 200, "", 0),
            (State.REJECTED, 410, "Unregistered", NOW_MS),
            (State.GIVEN_UP, 503, "", 0),
        ]
        outcomes = [
            Outcome(each.device_id, state, status, reason, 1, NOW_MS, 0, dead_ms)
            for each, (state, status, reason, dead_ms) in zip(due, ends, strict=True)
        ]
        store.exchange(campaign, outcomes, 0, NOW_MS)
    write_results(replayed)
    assert (tmp_path / "results").read_text().splitlines() == [
        "token,outcome",
        f"{APNS_TOKENS[0]},accepted",
        f"{APNS_TOKENS[1]},invalid",
        f"{APNS_TOKENS[2]},failed",
    ]
