"""The reference sender against a provider that misbehaves: nothing lost, nothing delivered twice without a lost answer."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sender.apns.messages import ApnsOptions
from sender.campaign import CampaignOptions, run_campaign
from sender.campaign_parts import ApnsPart
from sender.campaign_report import CampaignReport
from sender.lane import LaneOptions
from sender.pool import Endpoint, PoolOptions
from sender.reaction import RetryPolicy
from sender.store.device_store import DeviceStore
from sender.store.records import DeviceRow
from tests.end_to_end.faulty_provider import FaultyConnection, FaultyProvider
from wire.errors import ErrorCode
from wire.frames import STREAM_ID_MAX
from wire.request import Request

TOPIC = "com.example.app"
DEVICES = 600
REGISTERED_AT_MS = 1_750_000_000_000


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "AuthKey_ABCDE12345.p8"
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "devices.db"
    with DeviceStore.open(path, create=True) as opened:
        opened.import_rows(
            DeviceRow(f"{number:064x}", "apns", TOPIC, REGISTERED_AT_MS, {}) for number in range(DEVICES)
        )
    return path


def campaign(
    store: Path,
    key_file: Path,
    provider: FaultyProvider,
    *,
    name: str = "sale",
    policy: RetryPolicy | None = None,
    pool: PoolOptions | None = None,
) -> CampaignReport:
    endpoint = Endpoint.parse(provider.url)
    return run_campaign(
        CampaignOptions(
            store=store,
            name=name,
            topic=TOPIC,
            parts=(
                ApnsPart(
                    payload=b'{"aps":{"alert":"hello"}}',
                    options=ApnsOptions(TOPIC, endpoint.authority),
                    endpoint=endpoint,
                    key_file=key_file,
                    key_id="ABCDE12345",
                    team_id="TEAM123456",
                ),
            ),
            policy=policy or RetryPolicy(base_s=0.01, pause_max_s=0.05),
            pool=pool or PoolOptions(connections=2, reconnect_base_s=0.01, stall_timeout_s=10.0),
        )
    )


def all_delivered(provider: FaultyProvider, report: CampaignReport) -> None:
    assert len(provider.processed) == DEVICES
    assert (report.accepted, report.remaining, report.finished, report.stopped) == (DEVICES, 0, True, None)


def test_a_good_provider_delivers_each_once(store: Path, key_file: Path) -> None:
    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        for request in requests:
            connection.accept(request)

    with FaultyProvider(behave) as provider:
        report = campaign(store, key_file, provider)
    all_delivered(provider, report)
    assert set(provider.processed.values()) == {1}
    assert report.sent == DEVICES and report.retried == 0
    assert provider.connections <= 2


def test_graceful_goaway_under_load_loses_and_repeats_nothing(store: Path, key_file: Path) -> None:
    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        goes = connection.seen >= 50 and connection.wire.goaway_sent is None
        kept = requests[: len(requests) // 2] if goes else requests
        for request in kept:
            connection.accept(request)
        if goes:
            last = kept[-1].stream_id if kept else requests[0].stream_id - 2
            connection.wire.goaway(last_stream_id=last)

    with FaultyProvider(behave, streams_max=20) as provider:
        report = campaign(store, key_file, provider)
    all_delivered(provider, report)
    assert set(provider.processed.values()) == {1}
    assert report.unprocessed > 0 and report.retried == 0
    assert provider.connections > 5


def test_a_connection_cut_with_answers_lost_repeats_only_those_under_the_same_id(store: Path, key_file: Path) -> None:
    lost: set[bytes] = set()

    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        if connection.number <= 4 and connection.seen >= 60:
            for request in requests:
                connection.deliver(request)
                lost.add(request.varying[1] or b"")
            connection.transport.abort()
            return
        for request in requests:
            connection.accept(request)

    with FaultyProvider(behave, streams_max=20) as provider:
        report = campaign(store, key_file, provider)
    all_delivered(provider, report)
    twice = {apns_id for apns_id, count in provider.processed.items() if count > 1}
    assert lost and twice <= lost


def test_refused_streams_are_sent_again_and_never_counted_as_tries(store: Path, key_file: Path) -> None:
    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        for at, request in enumerate(requests):
            if connection.number <= 3 and at % 3 == 2:
                connection.wire.reset(request.stream_id, ErrorCode.REFUSED_STREAM)
            else:
                connection.accept(request)

    with FaultyProvider(behave, streams_max=30) as provider:
        report = campaign(store, key_file, provider, policy=RetryPolicy(attempts_max=1))
    all_delivered(provider, report)
    assert set(provider.processed.values()) == {1}
    assert report.given_up == 0 and report.unprocessed > 0


def test_every_tenth_answer_a_429_is_retried_and_delivered_once(store: Path, key_file: Path) -> None:
    refused: set[bytes] = set()

    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        for request in requests:
            apns_id = request.varying[1] or b""
            if int(apns_id[-4:], 16) % 10 == 0 and apns_id not in refused:
                refused.add(apns_id)
                connection.reject(request, 429, "TooManyRequests", (b"retry-after", b"0"))
            else:
                connection.accept(request)

    with FaultyProvider(behave) as provider:
        report = campaign(store, key_file, provider)
    all_delivered(provider, report)
    assert set(provider.processed.values()) == {1}
    assert report.retried == len(refused) == DEVICES // 10


def test_a_silent_stream_harms_no_other_and_is_tried_again(store: Path, key_file: Path) -> None:
    silent: list[bytes] = []

    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        for request in requests:
            if not silent:
                silent.append(request.varying[1] or b"")
            else:
                connection.accept(request)

    pool = PoolOptions(connections=1, lane=LaneOptions(answer_timeout_s=0.3))
    with FaultyProvider(behave) as provider:
        report = campaign(store, key_file, provider, pool=pool)
    all_delivered(provider, report)
    assert report.retried == 1 and provider.connections == 1


def test_connections_refused_and_sent_away_at_first_are_opened_again(store: Path, key_file: Path) -> None:
    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        for request in requests:
            connection.accept(request)

    with FaultyProvider(behave, refuse_first=3, goaway_first=3) as provider:
        report = campaign(store, key_file, provider)
    all_delivered(provider, report)
    assert report.retried == 0


def test_connections_that_run_out_of_stream_ids_are_rotated_without_a_loss(store: Path, key_file: Path) -> None:
    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        for request in requests:
            connection.accept(request)

    ids_of_one_connection = 40
    lane = LaneOptions(first_stream_id=STREAM_ID_MAX - 2 * (ids_of_one_connection - 1))
    pool = PoolOptions(connections=2, reconnect_base_s=0.01, stall_timeout_s=10.0, lane=lane)
    with FaultyProvider(behave) as provider:
        report = campaign(store, key_file, provider, pool=pool)
    all_delivered(provider, report)
    assert set(provider.processed.values()) == {1}
    assert (report.sent, report.retried, report.unprocessed) == (DEVICES, 0, 0)
    assert provider.connections >= DEVICES / ids_of_one_connection


def test_the_stream_limit_is_never_exceeded(store: Path, key_file: Path) -> None:
    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        for request in requests:
            connection.accept(request)

    with FaultyProvider(behave, streams_max=7) as provider:
        report = campaign(store, key_file, provider)
    all_delivered(provider, report)
    assert provider.streams_seen_max <= 7


def test_what_fails_to_the_end_stays_due_and_is_delivered_by_the_next_run(store: Path, key_file: Path) -> None:
    down = [True]

    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        for request in requests:
            if down[0] and int((request.varying[1] or b"")[-4:], 16) % 2:
                connection.reject(request, 503, "ServiceUnavailable")
            else:
                connection.accept(request)

    policy = RetryPolicy(attempts_max=2, base_s=0.01, pause_max_s=0.01)
    with FaultyProvider(behave) as provider:
        first = campaign(store, key_file, provider, policy=policy)
        assert (first.accepted, first.given_up, first.remaining) == (DEVICES // 2, DEVICES // 2, DEVICES // 2)
        assert not first.finished and first.stopped is None
        down[0] = False
        second = campaign(store, key_file, provider, policy=policy)
    assert (second.accepted, second.remaining, second.finished, second.uncertain) == (DEVICES // 2, 0, True, 0)
    assert set(provider.processed.values()) == {1} and len(provider.processed) == DEVICES


def test_a_fault_of_the_whole_campaign_stops_it_before_it_burns_the_rest(store: Path, key_file: Path) -> None:
    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        for request in requests:
            connection.reject(request, 400, "TopicDisallowed")

    with FaultyProvider(behave, streams_max=1) as provider:
        report = campaign(store, key_file, provider)
    assert report.stopped is not None and "TopicDisallowed" in report.stopped
    assert report.sent <= 4 and report.remaining == DEVICES and report.invalidated == 0


def test_a_dead_token_is_pruned_by_its_timestamp_and_a_reregistered_one_is_kept(store: Path, key_file: Path) -> None:
    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        for request in requests:
            token = int((request.varying[0] or b"")[10:], 16)
            if token >= 2:
                connection.accept(request)
                continue
            since_ms = REGISTERED_AT_MS + 1 if token == 0 else REGISTERED_AT_MS - 1
            body = b'{"reason":"Unregistered","timestamp":%d}' % since_ms
            connection.wire.answer(request.stream_id, b"\x08\x03410", body)

    with FaultyProvider(behave) as provider:
        report = campaign(store, key_file, provider)
    assert report.rejected == {"Unregistered": 2} and report.invalidated == 1
    with DeviceStore.open(store) as opened:
        assert [device.token for device in opened.invalidated()] == [f"{0:064x}"]


def test_nobody_there_ends_the_run_and_says_why(store: Path, key_file: Path) -> None:
    def behave(connection: FaultyConnection, requests: Sequence[Request]) -> None:
        raise AssertionError("nothing can arrive")

    with FaultyProvider(behave) as provider:
        pass  # its port is closed now
    pool = PoolOptions(connections=1, reconnect_base_s=0.01, reconnect_max_s=0.05, stall_timeout_s=1.0)
    report = campaign(store, key_file, provider, pool=pool)
    assert report.stopped is not None and "no answer" in report.stopped and "refused" in report.stopped.lower()
    assert (report.sent, report.remaining) == (0, DEVICES)
