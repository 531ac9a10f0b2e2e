"""Registrations in the device store: what an import keeps, updates, revives and refuses; and that it is whole or nothing."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sender.segment import EVERYONE
from sender.store import device_store
from sender.store.device_store import DeviceStore
from sender.store.errors import BadRowError, StoreBusyError
from sender.store.records import DeviceRow, ImportCounts, Outcome, State, StoreCounts
from sender.store.registration import (
    APNS_TOKEN_BYTES_MAX,
    ATTRIBUTES_BYTES_MAX,
    ATTRIBUTES_MAX,
    REGISTERED_AT_MS_MAX,
    TOPIC_CHARS_MAX,
)

TOPIC = "com.example.app"
REGISTERED_AT_MS = 1_760_000_000_000


def token(number: int) -> str:
    return random.Random(number).randbytes(32).hex()


def row(number: int, registered_at_ms: int = REGISTERED_AT_MS, **attributes: str) -> DeviceRow:
    return DeviceRow(token(number), "apns", TOPIC, registered_at_ms, attributes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DeviceStore]:
    with DeviceStore.open(tmp_path / "devices.db", create=True) as opened:
        yield opened


def invalidate(store: DeviceStore, numbers: list[int], at_ms: int) -> None:
    """Have a campaign hear that these tokens are dead."""
    campaign = store.begin_campaign(f"kill at {at_ms}", TOPIC, b"", EVERYONE, 0, key=0)
    due = store.exchange(campaign, [], 1000, 0).due
    dead = {token(number) for number in numbers}
    outcomes = [
        Outcome(one.device_id, State.REJECTED, 410, "Unregistered", 1, at_ms, 0, at_ms if one.token in dead else 0)
        for one in due
    ]
    store.exchange(campaign, outcomes, 0, 0)


def test_a_registration_comes_back_as_it_was_imported(store: DeviceStore) -> None:
    assert store.import_rows([row(1, name="Jané", country="DE")]) == ImportCounts(inserted=1)
    device = store.device(token(1))
    assert device is not None
    assert (device.token, device.topic, device.registered_at_ms) == (token(1), TOPIC, REGISTERED_AT_MS)
    assert device.attributes == '{"name":"Jané","country":"DE"}'.encode()
    assert list(store.rows()) == [DeviceRow(token(1), "apns", TOPIC, REGISTERED_AT_MS, device.attributes)]


def test_hexadecimal_tokens_are_the_same_in_either_case(store: DeviceStore) -> None:
    store.import_rows([row(1)])
    assert store.import_rows([row(1)._replace(token=token(1).upper())]) == ImportCounts(unchanged=1)
    assert store.device(token(1).upper()) == store.device(token(1))


def test_tokens_of_other_providers_keep_their_case_and_their_provider(store: DeviceStore) -> None:
    rows = [DeviceRow("aB:c_1", "fcm", TOPIC, 5, {}), DeviceRow("Ab:c_1", "fcm", TOPIC, 5, {}), row(1)]
    assert store.import_rows(rows).inserted == 3
    assert {found.token for found in store.rows()} == {"aB:c_1", "Ab:c_1", token(1)}
    campaign = store.begin_campaign("c", TOPIC, b"", EVERYONE, 0, key=0, provider="fcm")
    assert {due.token for due in store.exchange(campaign, [], 9, 0).due} == {"aB:c_1", "Ab:c_1"}


@pytest.mark.parametrize(
    "fcm_token",
    [
        "d" + "Ab3-_" * 4 + "x:APA91b" + "Zz_9-" * 26 + "Zz_9",
        "d" + "Ab3-_" * 4 + "x",  # a FID
        "APA91b" + "cafe" * 35,  # of GCM
        "d" + "Ab3-_" * 4 + "x%3AAPA91b" + "Zz_9-" * 26,  # damaged: that is for FCM to say
        "ab" * 31,
        "ab" * 129,
    ],
)
def test_of_fcms_tokens_no_shape_is_asked_for(store: DeviceStore, fcm_token: str) -> None:
    assert store.import_rows([DeviceRow(fcm_token, "fcm", TOPIC, 5, {})]) == ImportCounts(inserted=1)
    assert [found.token for found in store.rows()] == [fcm_token]


@pytest.mark.parametrize("apns_token", [token(1), token(1).upper(), "ab" * 128])
def test_an_apns_token_among_fcms_is_found_out(store: DeviceStore, apns_token: str) -> None:
    refused: list[tuple[int, str]] = []
    counts = store.import_rows([DeviceRow(apns_token, "fcm", TOPIC, 5, {})], refuse=lambda *bad: refused.append(bad))
    assert counts == ImportCounts(refused=1)
    [(number, reason)] = refused
    assert number == 1 and "is hexadecimal, as APNs tokens are: is its provider apns?" in reason


def test_importing_twice_changes_nothing(store: DeviceStore) -> None:
    rows = [row(number, country="DE") for number in range(50)]
    store.import_rows(rows)
    before = list(store.rows())
    assert store.import_rows(reversed(rows)) == ImportCounts(unchanged=50)
    assert list(store.rows()) == before


def test_a_later_registration_replaces_an_earlier_one_in_whatever_order_they_come(store: DeviceStore) -> None:
    old, new = row(1, country="DE"), row(1, REGISTERED_AT_MS + 1, country="FR")._replace(topic="com.example.two")
    assert store.import_rows([new]) == ImportCounts(inserted=1)
    assert store.import_rows([old]) == ImportCounts(unchanged=1)
    assert store.import_rows([old._replace(registered_at_ms=REGISTERED_AT_MS + 2)]) == ImportCounts(updated=1)
    assert store.import_rows([new]) == ImportCounts(unchanged=1)
    device = store.device(token(1))
    assert device is not None and device.attributes == b'{"country":"DE"}' and device.topic == TOPIC


def test_the_same_registration_may_bring_other_attributes(store: DeviceStore) -> None:
    store.import_rows([row(1, country="DE")])
    assert store.import_rows([row(1, country="FR")]) == ImportCounts(updated=1)


def test_of_a_token_that_stands_twice_in_an_import_the_later_registration_counts(store: DeviceStore) -> None:
    rows = [row(1, REGISTERED_AT_MS + 5, country="DE"), row(1, country="FR"), row(2)]
    assert store.import_rows(rows) == ImportCounts(inserted=2, unchanged=1)
    device = store.device(token(1))
    assert device is not None and device.attributes == b'{"country":"DE"}'


@pytest.mark.parametrize(("later_ms", "valid"), [(1, True), (0, False), (-1, False)])
def test_a_dead_token_lives_again_only_if_registered_after_its_death(
    store: DeviceStore, later_ms: int, valid: bool
) -> None:
    store.import_rows([row(1), row(2)])
    died_at_ms = REGISTERED_AT_MS + 1000
    invalidate(store, [1], died_at_ms)
    assert [(one.token, one.invalidated_at_ms, one.invalid_reason) for one in store.invalidated()] == [
        (token(1), died_at_ms, "Unregistered")
    ]
    assert store.import_rows([row(1, died_at_ms + later_ms)]) == ImportCounts(updated=1, revived=int(valid))
    device = store.device(token(1))
    assert device is not None and (device.invalidated_at_ms is None) == valid
    assert device.invalid_reason == ("" if valid else "Unregistered")
    assert store.counts() == StoreCounts(2, 1 + valid, 1 - valid)


def test_ids_are_stable_and_ascend_with_later_imports(store: DeviceStore) -> None:
    def ids(numbers: range) -> list[int]:
        return [found.device_id for number in numbers if (found := store.device(token(number)))]

    store.import_rows([row(number) for number in range(20)])
    before = ids(range(20))
    store.import_rows([row(number, REGISTERED_AT_MS + 1) for number in range(40)])
    assert ids(range(20)) == before
    assert min(ids(range(20, 40))) > max(before)


BAD_ROWS = [
    (row(1)._replace(token="xy" * 32), "not hexadecimal"),
    (row(1)._replace(token="ab"), "2 hex digits"),
    (row(1)._replace(token=""), "0 hex digits"),
    (row(1)._replace(token="ab" * (APNS_TOKEN_BYTES_MAX + 1)), "258 hex digits"),
    (row(1)._replace(token=" ".join(["ab" * 16] * 2)), "blanks"),
    (row(1)._replace(provider="wns"), "provider 'wns' is unknown"),
    (row(1)._replace(provider="fcm", token="a b"), "blanks"),
    (row(1)._replace(provider="fcm", token=""), "token is empty"),
    (row(1)._replace(provider="fcm", token="x" * 4097), "4097 characters"),
    (row(1)._replace(topic=""), "topic is empty"),
    (row(1)._replace(topic="com.exämple"), "beyond ASCII"),
    (row(1)._replace(topic="a\nb"), "control characters"),
    (row(1)._replace(topic="a" * (TOPIC_CHARS_MAX + 1)), "256 characters"),
    (row(1)._replace(registered_at_ms=-1), "not an instant"),
    (row(1)._replace(registered_at_ms=True), "not an instant"),
    (row(1)._replace(registered_at_ms=REGISTERED_AT_MS_MAX + 1), "not an instant"),
    (row(1)._replace(attributes={"a b": ""}), "attribute name 'a b'"),
    (row(1)._replace(attributes={"": ""}), "attribute name ''"),
    (row(1)._replace(attributes={"token": ""}), "reserved"),
    (row(1)._replace(attributes={"a": "\udcff"}), "UTF-8"),
    (row(1)._replace(attributes={"a": "x\0"}), "U+0000"),
    (row(1)._replace(attributes=b'{"a":"\\u0000"}'), "U+0000"),
    (row(1)._replace(attributes={"a": 1}), "not a text"),  # type: ignore[dict-item]
    (row(1)._replace(attributes={"a": "x" * ATTRIBUTES_BYTES_MAX}), "bytes of JSON"),
    (row(1)._replace(attributes={f"a{i}": "" for i in range(ATTRIBUTES_MAX + 1)}), "65 attributes"),
    (row(1)._replace(attributes=b'{"a":\n"b"}'), "one line"),
    (row(1)._replace(attributes=b"[]"), "not a JSON object"),
    (row(1)._replace(attributes=b"{"), "not a JSON object"),
    (row(1)._replace(attributes=b""), "not a JSON object"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_ROWS)
def test_a_bad_row_is_named_and_nothing_is_imported(store: DeviceStore, bad: DeviceRow, reason: str) -> None:
    store.import_rows([row(7)])
    with pytest.raises(BadRowError) as error:
        store.import_rows([row(8), row(9), bad, row(10)])
    assert error.value.row_number == 3
    assert reason in str(error.value)
    assert store.counts().devices == 1
    assert store.import_rows([row(8)]).inserted == 1, "the store is usable after a refusal"


def test_limits_themselves_are_allowed(store: DeviceStore) -> None:
    filler = "x" * (ATTRIBUTES_BYTES_MAX - len('{"a":""}'))
    widest = DeviceRow("ab" * APNS_TOKEN_BYTES_MAX, "apns", "a" * TOPIC_CHARS_MAX, REGISTERED_AT_MS_MAX, {"a": filler})
    assert store.import_rows([widest, row(1)._replace(attributes={"a": "\\u0000 as text"})]).inserted == 2


def test_refused_rows_are_reported_and_left_out(store: DeviceStore) -> None:
    heard: list[tuple[int, str]] = []
    rows = [row(1), row(2)._replace(topic=""), row(3), row(4)._replace(token="no")]
    counts = store.import_rows(rows, refuse=lambda number, reason: heard.append((number, reason)))
    assert counts == ImportCounts(inserted=2, refused=2)
    assert [number for number, _ in heard] == [2, 4]


def test_progress_tells_the_rows_read(store: DeviceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_store, "PROGRESS_ROWS", 10)
    seen: list[int] = []
    store.import_rows((row(number) for number in range(25)), progress=seen.append)
    assert seen == [10, 20, 25]


def test_a_source_of_rows_that_fails_leaves_the_store_as_it_was(store: DeviceStore) -> None:
    def failing() -> Iterator[DeviceRow]:
        yield row(1)
        raise ConnectionError("the pipe broke")

    with pytest.raises(ConnectionError):
        store.import_rows(failing())
    assert store.counts().devices == 0
    assert store.import_rows([row(1)]).inserted == 1


def test_an_import_waits_for_another_writer_only_so_long(tmp_path: Path) -> None:
    path = tmp_path / "devices.db"
    with DeviceStore.open(path, create=True, busy_timeout_s=0.01) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match="locked by another process"):
            store.import_rows([row(1)])
        other.execute("ROLLBACK")
        other.close()
        assert store.import_rows([row(1)]).inserted == 1


def test_reading_rows_holds_up_no_other_writer(tmp_path: Path) -> None:
    path = tmp_path / "devices.db"
    with DeviceStore.open(path, create=True) as store, DeviceStore.open(path, busy_timeout_s=0.01) as other:

        def slow() -> Iterator[DeviceRow]:
            yield row(1)
            assert other.import_rows([row(2)]).inserted == 1
            yield row(3)

        assert store.import_rows(slow()).inserted == 2
        assert other.counts().devices == 3


registrations = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 4), st.sampled_from(["DE", "FR"]), st.sampled_from(["a.b", "c.d"])),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(imports=st.lists(registrations, min_size=1, max_size=3))
def test_any_imports_leave_each_token_with_its_latest_registration(
    tmp_path_factory: pytest.TempPathFactory, imports: list[list[tuple[int, int, str, str]]]
) -> None:
    model: dict[str, tuple[int, str, str]] = {}
    with DeviceStore.open(tmp_path_factory.mktemp("model") / "devices.db", create=True) as store:
        for rows in imports:
            known = len(model)
            for number, at_ms, country, topic in rows:
                stored = model.get(token(number))
                if stored is None or at_ms >= stored[0]:
                    model[token(number)] = (at_ms, country, topic)
            counts = store.import_rows(
                [DeviceRow(token(n), "apns", topic, at_ms, {"c": country}) for n, at_ms, country, topic in rows]
            )
            assert counts.inserted == len(model) - known
            assert sum(counts[:4]) == len(rows)
        found = {one.token: (one.registered_at_ms, one.attributes, one.topic) for one in store.rows()}
    assert found == {
        key: (at_ms, f'{{"c":"{country}"}}'.encode(), topic) for key, (at_ms, country, topic) in model.items()
    }


KILLED_IMPORT = """
import random, sys
from sender.store.device_store import DeviceStore
from sender.store.records import DeviceRow
rng = random.Random(99)
store = DeviceStore.open(sys.argv[1])
class Watched:
    def __init__(self, connection): self.connection = connection
    def __getattr__(self, name): return getattr(self.connection, name)
    def execute(self, sql, *parameters):
        result = self.connection.execute(sql, *parameters)
        if "INSERT INTO device" in sql and sys.argv[2] == "merged":
            print("now", flush=True); sys.stdin.read()
        return result
store._connection = Watched(store._connection)
store._connection.execute("PRAGMA cache_size = 10")  # so that what is not committed reaches the disk
def rows():
    for number in range(30_000):
        if number == 20_000 and sys.argv[2] == "staged":
            print("now", flush=True); sys.stdin.read()
        yield DeviceRow(rng.randbytes(32).hex(), "apns", "com.example.app", 5 + number, b'{"country":"DE"}')
store.import_rows(rows())
"""


@pytest.mark.parametrize("moment", ["staged", "merged"])
def test_an_import_killed_in_the_middle_leaves_the_old_store_whole(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "devices.db"
    with DeviceStore.open(path, create=True) as store:
        store.import_rows([row(number) for number in range(100)])
        before = list(store.rows())
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_IMPORT, str(path), moment],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == b"now\n"
    if moment == "merged":
        assert Path(f"{path}-wal").stat().st_size > 1_000_000, "the unfinished transaction is on the disk"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    with DeviceStore.open(path) as store:
        assert list(store.rows()) == before
        assert store._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.import_rows([row(number) for number in range(200)]) == ImportCounts(inserted=100, unchanged=100)
