"""Floods of frames over TLS, each carried out beside a sender that goes on undisturbed. `docs/attacks.md` lists them."""

import time
import urllib.request
from pathlib import Path

import pytest

from pushrig_pytest import PushSimulatorFactory
from simulator.credentials import Credentials, load_or_create
from simulator.limits import LIMITS as LIMIT_ROWS
from tests.end_to_end import attackers
from tests.end_to_end.attackers import (
    GREETING,
    Flood,
    beside_a_sender,
    closed_first,
    continuations,
    head,
    opened_first,
    refused_first,
)
from tests.end_to_end.h2_client import ConnectionEndedError, H2Client
from tests.end_to_end.provider_port import LIMITS, connected, listening, run
from wire import frames
from wire.errors import ErrorCode

ROOT = Path(__file__).parents[2]

# What floods: the limit it reaches, and its nth piece.
FLOODS: dict[str, tuple[str, Flood]] = {
    "rapid reset of requests": (
        "resets_max",
        lambda n: head(n, end_stream=True) + frames.rst_stream_frame(2 * n + 1, 8),
    ),
    "rapid reset of heads": ("resets_max", lambda n: head(n) + frames.rst_stream_frame(2 * n + 1, 8)),
    "resets that the server is made to send": (
        "resets_max",
        lambda n: head(n, end_stream=True) + frames.frame(frames.WINDOW_UPDATE, 0, 2 * n + 1, bytes(4)),
    ),
    "malformed requests": ("resets_max", lambda n: head(n, b"\x82", end_stream=True)),
    "RST_STREAM on a closed stream": ("resets_max", closed_first(frames.rst_stream_frame(1, 8))),
    "CONTINUATION, empty": ("header_block_continuations_max", continuations(b"")),
    "CONTINUATION, full": ("header_block_bytes_max", continuations(bytes(16_384))),
    "CONTINUATION, a few in each request": ("continuations_max", attackers.many_continued),
    "SETTINGS": ("settings_max", lambda n: frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 65_535 + n % 2})),
    "SETTINGS with ACK": ("settings_max", lambda n: frames.SETTINGS_ACK),
    "PING": ("pings_max", lambda n: frames.ping_frame(b"pushrig!")),
    "PING with ACK": ("pings_max", lambda n: frames.ping_frame(b"pushrig!", ack=True)),
    "empty DATA": ("empty_data_max", opened_first(frames.frame(frames.DATA, 0, 1))),
    "DATA of padding": (
        "empty_data_max",
        opened_first(frames.frame(frames.DATA, frames.PADDED, 1, b"\x03\0\0\0")),
    ),
    "empty DATA after a reset": ("empty_data_max", refused_first(frames.frame(frames.DATA, 0, 1))),
    "WINDOW_UPDATE of the connection": ("window_updates_max", lambda n: frames.window_update_frame(0, 1)),
    "WINDOW_UPDATE of a stream": ("window_updates_max", opened_first(frames.window_update_frame(1, 1))),
    "PRIORITY": ("ignored_frames_max", lambda n: frames.frame(frames.PRIORITY, 0, 2 * n + 1, bytes(5))),
    "frames of no known type": ("ignored_frames_max", lambda n: frames.frame(0xBE, 0, 0, b"?")),
    "GOAWAY": ("ignored_frames_max", lambda n: frames.goaway_frame(0, 0, b"again")),
    "an HPACK bomb": ("header_fields_dropped_max", attackers.hpack_bomb),
    "many small HPACK bombs": ("large_header_lists_max", attackers.small_bombs),
    "table thrash": ("table_insertions_max", attackers.thrashing),
}


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return load_or_create(tmp_path_factory.mktemp("floods") / "state", time.time(), {})


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_its_connection_and_disturbs_no_other(credentials: Credentials, name: str) -> None:
    limit, flood = FLOODS[name]
    pieces_max = 20 if limit == "header_block_bytes_max" else 2 * getattr(LIMITS, limit) + 2

    async def test() -> None:
        async with listening(credentials) as (plane, port, _):
            counters = plane.rig.counters
            async with beside_a_sender(plane, credentials, port), connected(credentials, port) as attacker:
                flooding = b"".join(flood(n) for n in range(pieces_max))
                await attackers.send_all(attacker.writer, GREETING + flooding)
                await attackers.until_ended(attacker.reader)
                assert counters.limits_reached == {limit: 1}
                assert counters.protocol_errors == 1

    run(test)


def test_who_floods_is_told_which_limit_it_reached(push_simulator_factory: PushSimulatorFactory) -> None:
    with push_simulator_factory("--limit", "pings_max=3") as simulator, H2Client.connect(simulator) as client:
        for _ in range(3):
            client.ping()
        with pytest.raises(ConnectionEndedError) as ended:
            client.ping()
        assert ended.value.goaway is not None
        assert ended.value.goaway.error_code == ErrorCode.ENHANCE_YOUR_CALM
        assert b"pings_max" in (ended.value.goaway.additional_data or b"")
        assert simulator.stats().limits_reached == {"pings_max": 1}
        with urllib.request.urlopen(f"{simulator.control_url}/metrics") as metrics:
            shown = metrics.read().decode()
        assert 'pushrig_limits_reached_total{limit="pings_max"} 1.0' in shown
        assert all(f'{{limit="{name}"}}' in shown for name in LIMIT_ROWS)


def test_windows_that_overflow_end_their_connection_and_no_other(credentials: Credentials) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _):
            async with beside_a_sender(plane, credentials, port), connected(credentials, port) as attacker:
                await attackers.send_all(attacker.writer, GREETING + 2 * frames.window_update_frame(0, 2**31 - 1))
                came = await attackers.until_ended(attacker.reader)
            assert b"WINDOW_UPDATE overflows the connection" in came
            assert plane.rig.counters.protocol_errors == 1

    run(test)


@pytest.mark.parametrize(("value_bytes", "refused"), [(7_000, False), (9_000, True)])
def test_a_field_has_the_bound_of_the_header_list(credentials: Credentials, value_bytes: int, refused: bool) -> None:
    async def test() -> None:
        async with listening(credentials) as (plane, port, _):
            async with beside_a_sender(plane, credentials, port), connected(credentials, port) as client:
                fields = [(b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/3/device/x")]
                client.wire.request([*fields, (b"x", b"y" * value_bytes)])
                while not (responses := await client.read()):
                    pass
                assert (responses[0].head.value(b":status") == b"431") is refused
            assert plane.rig.counters.header_lists_refused == refused

    run(test)


def test_every_limit_has_its_row_in_the_list_of_attacks() -> None:
    text = (ROOT / "docs" / "attacks.md").read_text()
    assert [name for name in LIMIT_ROWS if f"`{name}`" not in text] == []


def test_every_limit_is_documented_with_its_default() -> None:
    rows = (ROOT / "docs" / "settings.md").read_text().splitlines()
    for row in LIMIT_ROWS.values():
        refills = "yes" if row.refills else "–"
        assert f"| `{row.name}` | `{row.default:.10g}` | {row.description} | {refills} |" in rows
