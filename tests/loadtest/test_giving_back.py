"""A user that leaves: what it did not send is for others, what it was answered counts, and what is in flight is unsure."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from loadtest.arrival_source import OpenBatch
from loadtest.batch_sender import BatchSender
from loadtest.index_pool import IndexPool
from loadtest.leases import Piece, joined
from loadtest.load_campaign import LoadCampaign
from loadtest.load_settings import ApnsSettings, LoadSettings
from loadtest.load_side import Counted, Side
from loadtest.profiles import Curve
from loadtest.timetable import Timetable
from sender.pool import Endpoint
from sender.store.records import Due, Outcome, State
from simulator.devices.fates import Provider
from simulator.devices.token_space import Environment, Population


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadSettings:
    monkeypatch.setattr("loadtest.batch_sender.DRAIN_S", 0.0)
    key = tmp_path / "key.p8"
    key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return LoadSettings(
        population=Population(3, 1_000, "com.example.app", Environment.PRODUCTION, ()),
        start_index=0,
        batch_size=20,
        connections_per_user=1,
        profile=None,
        poisson=False,
        batches_file=None,
        endpoint=Endpoint.parse("https://localhost:8443"),
        apns=ApnsSettings(key, "ABCDEFGHIJ", "ABCDEFGHIJ", None),
        fcm=None,
        ca_file=None,
    )


class User:
    """One without connections: what it has taken on stays ready, unless `answer` or `send` say otherwise."""

    def __init__(self, campaign: LoadCampaign) -> None:
        self.campaign = campaign
        self.counted: list[Counted] = []
        self.sender = BatchSender(campaign, self._count)
        campaign.senders.append(self.sender)
        [self.side] = self.sender.sides

    def _count(self, provider: Provider, counted: Counted) -> None:
        self.counted.append(counted)

    @property
    def delivery_ready(self) -> list[int]:
        return [due.device_id for due in self.side.delivery.ready]

    def send(self, count: int) -> None:
        taken = {2 * n + 1: (self.side.delivery.ready.popleft(), 0.0) for n in range(count)}
        self.side.run.connections.append(connection(taken))

    def answer(self, count: int, state: State = State.ACCEPTED) -> None:
        for _ in range(count):
            due = self.side.delivery.ready.popleft()
            retry_at_ms = 1 << 45 if state is State.WAITING else 0
            self.side.delivery.outcomes.append(Outcome(due.device_id, state, 200, "", 1, 0, retry_at_ms, 0))
            self.side.delivery.counts.accepted += state is State.ACCEPTED


def connection(in_flight: dict[int, tuple[Due, float]]) -> Any:
    return SimpleNamespace(lane=SimpleNamespace(in_flight=in_flight), pump=lambda now_s: None)


def test_in_a_closed_loop(settings: LoadSettings) -> None:
    pool = IndexPool([Piece(100, 140)])
    campaign = LoadCampaign(settings, pool)
    user = User(campaign)
    batch = campaign.begin_batch()
    assert campaign.standing() == ([Piece(120, 140), Piece(100, 120)], [])
    sending = gevent.spawn(user.sender.send, batch)
    gevent.sleep(0)
    assert user.delivery_ready == list(range(100, 120))
    user.answer(3)
    user.answer(1, State.WAITING)
    user.send(5)
    assert joined(campaign.standing()[0]) == [Piece(103, 140)]
    sending.kill()
    campaign.end_batch(batch, None)
    user.sender.close()
    # One waits to be sent again; five got no answer.
    left = [Piece(103, 104), Piece(104, 109, unsure=True), Piece(109, 140)]
    assert joined(pool.pieces) == left
    assert sum(each.counts.accepted for each in user.counted) == 3
    assert campaign.unknown == 5
    assert campaign.senders == []
    assert joined(campaign.standing()[1]) == left
    assert pool.remaining == 0


def test_in_an_open_loop(settings: LoadSettings) -> None:
    campaign = LoadCampaign(
        replace(settings, profile=Curve([(0, 1_000.0)])), IndexPool(), timetable=Timetable(open_end=True)
    )
    campaign.start_at(1_000.0)
    user = User(campaign)
    attending = gevent.spawn(user.sender.attend)
    gevent.sleep(0)
    campaign.add([Piece(100, 120, 0.5), Piece(120, 130, 1e12)])
    gevent.sleep(0)
    while not user.side.delivery.ready:
        gevent.sleep(0)
    user.answer(3)
    user.answer(1, State.WAITING)
    user.send(5)
    assert user.side.arrivals is not None
    user.side.arrivals.arrive(OpenBatch(range(130, 140), 1_000.75, 1_000.75, 10))  # not claimed yet
    attending.kill()
    user.sender.close()
    assert joined(campaign.standing()[1]) == [
        Piece(103, 104, 0.5, recorded=True),
        Piece(104, 109, 0.5, recorded=True, unsure=True),
        Piece(109, 120, 0.5, recorded=True),
        Piece(120, 130, 1e12),
        Piece(130, 140, 0.75, recorded=True),
    ]
    assert sum(each.counts.accepted for each in user.counted) == 3
    assert campaign.recording.scheduled == 20


def test_a_batch_that_nobody_began_to_send_is_given_back_whole(settings: LoadSettings) -> None:
    pool = IndexPool([Piece(0, 30)])
    campaign = LoadCampaign(settings, pool)
    batch = campaign.begin_batch()
    campaign.end_batch(batch, None)
    assert pool.pieces == [Piece(20, 30), Piece(0, 20)]
    assert campaign.repeated == 0


def test_nothing_is_taken_on_after_the_end(settings: LoadSettings) -> None:
    pool = IndexPool([Piece(0, 30)])
    campaign = LoadCampaign(settings, pool)
    campaign.stop("the provider said so")
    assert campaign.begin_batch() == range(0)
    assert campaign.standing() == ([], [Piece(0, 30)])


def test_what_is_sent_once_more_is_no_matter_of_others(settings: LoadSettings) -> None:
    campaign = LoadCampaign(settings, IndexPool())
    user = User(campaign)
    again = gevent.spawn(user.sender.send, range(5))  # a batch that the campaign has not just given out
    gevent.sleep(0)
    assert campaign.standing() == ([], [])
    again.kill()
    user.sender.close()
    assert campaign.standing() == ([], [])


def test_sides_know_what_is_open(settings: LoadSettings) -> None:
    campaign = LoadCampaign(settings, IndexPool())
    side: Side = User(campaign).side
    side.source.take_on(5, 9)
    assert side.open == dict.fromkeys(range(5, 9))
    assert side.sent == set()
