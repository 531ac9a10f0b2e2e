"""The ruler's requests are right however they are coded."""

import msgspec
import pytest

from loadtest.bench.ruler_sender import ENCODINGS, requests_of
from loadtest.bench.task import SendTask, payload
from wire.hpack import Decoder

TASK = SendTask(
    url="https://localhost:8443",
    ca_file="",
    key_file="",
    key_id="",
    team_id="",
    topic="com.example.app",
    population_seed=7,
    count=300,
    connections=1,
)
AUTHORIZATION = b"bearer " + b"x" * 200


def fields_by_encoding(encoding: str) -> list[dict[bytes, bytes]]:
    task = msgspec.structs.replace(TASK, encoding=encoding)
    decoder = Decoder()
    return [dict(decoder.decode(block)) for block, _ in requests_of(task, 0, task.count, AUTHORIZATION)]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_says_the_same_of_each_notification(encoding: str) -> None:
    found = fields_by_encoding(encoding)
    tokens = [minted.token for minted in TASK.population.mint_range()]
    assert [fields[b":path"].decode() for fields in found] == [f"/3/device/{token}" for token in tokens]
    assert len({fields[b"apns-id"] for fields in found}) == TASK.count
    for fields in found:
        assert fields.keys() == {
            b":method", b":scheme", b":authority", b":path", b"apns-topic", b"apns-push-type", b"authorization", b"apns-id",
        }  # fmt: skip
        assert fields[b":method"] == b"POST" and fields[b":authority"] == b"localhost:8443"
        assert fields[b"authorization"] == AUTHORIZATION and fields[b"apns-topic"] == b"com.example.app"


def test_the_literal_way_leaves_only_path_and_id_to_be_sent_after_the_first_request() -> None:
    sizes = [len(block) for block, _ in requests_of(TASK, 0, 5, AUTHORIZATION)]
    assert sizes[0] > 300 and len(set(sizes[1:])) == 1 and sizes[1] < 135


def test_payloads_are_json_of_their_own() -> None:
    bodies = [body for _, body in requests_of(TASK, 10, 20, AUTHORIZATION)]
    assert bodies == [payload(number) for number in range(10, 20)]
    assert [msgspec.json.decode(body)["aps"]["badge"] for body in bodies] == list(range(10, 20))
    # The ruler leaves so much of the connection's window unused.
    assert max(map(len, bodies)) + len(str(10**7)) < 256
