"""The names of accepted messages, in the forms that were seen."""

import json
import re
from collections.abc import Callable

import pytest

from simulator.fcm.message_names import FAKE_MESSAGE_ID, IDS_PER_BLOCK, AcceptedBodies, MessageIds

NOW_S = 1_500_415_314.455_276


def counting_bytes() -> Callable[[int], bytes]:
    """Random bytes that are not: each block starts with its number."""
    blocks = iter(range(1, 100))

    def random_bytes(count: int) -> bytes:
        block = next(blocks)
        return b"".join(bytes([block]) + at.to_bytes(7) for at in range(count // 8))

    return random_bytes


@pytest.mark.parametrize(
    ("draw", "form"),
    [
        (lambda ids: ids.for_android(NOW_S), rb"0:1500415314455276%[0-9a-f]{16}"),
        (lambda ids: ids.for_android(1e-6), rb"0:0000000000000001%[0-9a-f]{16}"),
        (lambda ids: ids.for_ios(), rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        (lambda ids: ids.for_topic(), rb"[1-9][0-9]{0,18}"),
    ],
)
def test_each_form_is_as_seen(draw: Callable[[MessageIds], bytes], form: bytes) -> None:
    ids = MessageIds(counting_bytes())
    assert all(re.fullmatch(form, draw(ids)) for _ in range(5))


def test_no_two_are_alike_across_blocks() -> None:
    ids = MessageIds(counting_bytes())
    drawn = [ids.for_ios() for _ in range(3 * IDS_PER_BLOCK)]
    assert len(set(drawn)) == len(drawn)


def test_the_instant_of_an_android_id_is_that_of_its_message() -> None:
    ids = MessageIds(counting_bytes())
    starts = [ids.for_android(at_s).partition(b"%")[0] for at_s in (NOW_S, NOW_S, NOW_S + 1, NOW_S)]
    assert starts == [b"0:1500415314455276", b"0:1500415314455276", b"0:1500415315455276", b"0:1500415314455276"]


def test_a_block_of_random_bytes_serves_many() -> None:
    asked: list[int] = []

    def random_bytes(count: int) -> bytes:
        asked.append(count)
        return bytes(range(256)) * (count // 256)

    ids = MessageIds(random_bytes)
    for _ in range(IDS_PER_BLOCK):
        ids.for_topic()
    assert asked == [8 * IDS_PER_BLOCK]
    ids.for_topic()
    assert len(asked) == 2


def test_a_topic_has_a_number_of_63_bits_at_most() -> None:
    assert MessageIds(lambda count: b"\xff" * count).for_topic() == b"%d" % (2**63 - 1)


def test_the_answer_is_pretty_unless_asked_for_otherwise() -> None:
    bodies = AcceptedBodies(b"shop-1")
    pretty = bodies.of(FAKE_MESSAGE_ID)
    assert pretty == b'{\n  "name": "projects/shop-1/messages/fake_message_id"\n}\n'
    compact = bodies.of(FAKE_MESSAGE_ID, pretty=False)
    assert compact == b'{"name":"projects/shop-1/messages/fake_message_id"}'
    assert json.loads(pretty) == json.loads(compact)
