"""A ruler: the least that a push server over TLS and HTTP/2 can do in plain Python. It checks almost nothing.

It reads frames and header fields, looks whether there is a device token of 64 hexadecimal digits, and says 200. It knows no
errors, no padding, no CONTINUATION, no limits; it verifies no credential, reads no payload and writes nothing down. What it
does it does for every notification, so its speed is what checks, ledger and journal are measured against.

Run as `python -m loadtest.bench.ruler_server CERTIFICATE KEY`; prints its port, serves until it is killed.
"""

import asyncio
import gc
import os
import sys

from loadtest.bench.listening import listen, server_tls
from wire import huffman
from wire.frames import FRAME_HEADER, PREFACE, SETTINGS_ACK, settings_frame, window_update_frame
from wire.hpack import literal_name, read_integer
from wire.static_table import STATIC_COUNT, STATIC_TABLE

PATH_PREFIX_BYTES = len(b"/3/device/")
TABLE_BYTES_MAX = 4_096
FIELD_OVERHEAD_BYTES = 32  # RFC 7541, section 4.1
STREAM_WINDOW_BYTES = 1 << 20
CONNECTION_WINDOW_BYTES = 1 << 30
CREDIT_BYTES = 1 << 20  # the connection's window is opened again by so much at a time
GREETING = settings_frame({3: 1_000, 4: STREAM_WINDOW_BYTES}) + window_update_frame(0, CONNECTION_WINDOW_BYTES)
# `:status: 200` is one byte, an index of the static table; then `apns-id` with the 36 characters of a UUID.
ACCEPTED = b"\x88" + literal_name(b"apns-id") + b"\x24"


class RulerServer(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._rest = b""
        self._greeted = False
        self._unanswered: dict[int, bytes] = {}  # stream -> the apns-id of its answer
        self._uncredited_bytes = 0
        self._table: list[tuple[bytes, bytes]] = []  # HPACK's dynamic table, newest first
        self._table_bytes = 0
        transport.write(GREETING)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at, size = 0, len(data)
        if not self._greeted:
            if size < len(PREFACE):
                self._rest = data
                return
            at, self._greeted = len(PREFACE), True
        out: list[bytes] = []
        # All whole frames of this read, and one write at the end: system calls, TLS records and turns of the event loop
        # are then shared by dozens of notifications.
        while size - at >= 9:
            high, low, kind, flags, stream_id = FRAME_HEADER.unpack_from(data, at)
            start = at + 9
            end = start + (high << 16 | low)
            if end > size:
                break
            if kind == 1:  # HEADERS; flag 0x20: five bytes of priority come first
                fields = self._read_fields(data[start + 5 if flags & 0x20 else start : end])
                bytes.fromhex(fields[b":path"][PATH_PREFIX_BYTES:].decode())
                self._unanswered[stream_id] = fields.get(b"apns-id") or os.urandom(18).hex().encode()
            elif kind == 0:  # DATA
                self._uncredited_bytes += end - start
                if flags & 1:
                    block = ACCEPTED + self._unanswered.pop(stream_id)
                    out.append(FRAME_HEADER.pack(0, len(block), 1, 5, stream_id) + block)
            elif kind == 4 and not flags & 1:  # SETTINGS
                out.append(SETTINGS_ACK)
            elif kind == 6 and not flags & 1:  # PING
                out.append(FRAME_HEADER.pack(0, 8, 6, 1, 0) + data[start:end])
            at = end
        self._rest = data[at:]
        if self._uncredited_bytes >= CREDIT_BYTES:
            out.append(window_update_frame(0, self._uncredited_bytes))
            self._uncredited_bytes = 0
        if out:
            self._transport.write(b"".join(out))

    def _read_fields(self, block: bytes) -> dict[bytes, bytes]:
        """The header fields of a block (RFC 7541): look-ups for what was indexed, strings for the rest."""
        table, fields = self._table, {}
        at, size = 0, len(block)
        while at < size:
            first = block[at]
            if first >= 0x80:  # a whole field by its index
                index, at = read_integer(block, at, 0x7F)
                name, value = STATIC_TABLE[index] if index <= STATIC_COUNT else table[index - STATIC_COUNT - 1]
                fields[name] = value
                continue
            if 0x20 <= first < 0x40:  # an update of the table's size, which this server never asks for
                _, at = read_integer(block, at, 0x1F)
                continue
            index, at = read_integer(block, at, 0x3F if first >= 0x40 else 0x0F)
            if index:
                name = STATIC_TABLE[index][0] if index <= STATIC_COUNT else table[index - STATIC_COUNT - 1][0]
            else:
                name, at = _read_string(block, at)
            value, at = _read_string(block, at)
            fields[name] = value
            if first >= 0x40:
                table.insert(0, (name, value))
                self._table_bytes += len(name) + len(value) + FIELD_OVERHEAD_BYTES
                while self._table_bytes > TABLE_BYTES_MAX:
                    old_name, old_value = table.pop()
                    self._table_bytes -= len(old_name) + len(old_value) + FIELD_OVERHEAD_BYTES
        return fields


def _read_string(block: bytes, at: int) -> tuple[bytes, int]:
    length, start = read_integer(block, at, 0x7F)
    text = block[start : start + length]
    return (huffman.decode(text) if block[at] & 0x80 else text), start + length


async def main(certificate: str, key: str) -> None:
    """Serve on a free port of loopback."""
    gc.set_threshold(50_000, 20, 20)
    await listen(RulerServer, server_tls(certificate, key))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
