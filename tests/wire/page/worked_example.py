"""The bytes of one notification, sent by `wire`'s client and answered by its server, with what each of them says."""

from collections.abc import Iterator, Sequence

from wire import frames
from wire.client import ClientConnection
from wire.hpack import Decoder, literal_name, read_integer, stateless_block, string
from wire.server import ServerConnection

BYTES_A_LINE = 12
FIELDS = (
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":authority", b"api.push.apple.com"),
    (b":path", b""),
    (b"apns-topic", b"com.example.app"),
    (b"apns-push-type", b"alert"),
    (b"apns-id", b""),
)
BODY = b'{"aps":{"alert":"Hello"}}'
DEVICES = (bytes(range(32)).hex().encode(), bytes(range(32, 64)).hex().encode())
IDS = (b"eabeae54-14a8-11e5-b60b-1697f925ec7b", b"eabeae54-14a8-11e5-b60b-1697f925ec7c")
ACCEPTED = stateless_block([(b":status", b"200")])

SETTING_NAMES = {
    frames.HEADER_TABLE_SIZE: "HEADER_TABLE_SIZE",
    frames.ENABLE_PUSH: "ENABLE_PUSH",
    frames.MAX_CONCURRENT_STREAMS: "MAX_CONCURRENT_STREAMS",
    frames.INITIAL_WINDOW_SIZE: "INITIAL_WINDOW_SIZE",
    frames.MAX_FRAME_SIZE: "MAX_FRAME_SIZE",
    frames.MAX_HEADER_LIST_SIZE: "MAX_HEADER_LIST_SIZE",
}


def listing() -> str:
    """The whole conversation, annotated."""
    client, server = ClientConnection(), ServerConnection({frames.MAX_CONCURRENT_STREAMS: 1})
    requests, answers = Decoder(), Decoder()
    prepared = client.prepare(FIELDS)
    lines: list[str] = []

    def client_says(title: str) -> None:
        data = client.data_to_send()
        lines.extend(["", f"client: {title}", *_annotated(data, requests)])
        for request in server.receive_data(data):
            apns_id = request.varying[1]
            assert apns_id is not None
            server.answer(request.stream_id, ACCEPTED + literal_name(b"apns-id") + string(apns_id))

    def server_says(title: str) -> None:
        data = server.data_to_send()
        lines.extend(["", f"server: {title}", *_annotated(data, answers)])
        client.receive_data(data)

    client_says("the preface, then its SETTINGS")
    server_says("its SETTINGS, and that it has read the client's")
    for device, apns_id, title in zip(DEVICES, IDS, ("the first notification", "the next one"), strict=True):
        client.send(prepared, b"/3/device/" + device, apns_id, BODY)
        client_says(title)
        server_says("accepted")
    assert (client.failed, server.failed, client.open_streams) == (None, None, 0)
    return "\n".join(lines[1:]) + "\n"


def _annotated(data: bytes, decoder: Decoder) -> Iterator[str]:
    if data.startswith(frames.PREFACE):
        yield from _rows(0, frames.PREFACE, "the preface: PRI * HTTP/2.0 … SM")
        data = data[len(frames.PREFACE) :]
    while data:
        high, low, kind, flags, stream_id = frames.FRAME_HEADER.unpack_from(data)
        end = frames.FRAME_HEADER_BYTES + (high << 16 | low)
        head, payload, data = data[: frames.FRAME_HEADER_BYTES], data[frames.FRAME_HEADER_BYTES : end], data[end:]
        yield from _rows(0, head, _frame_words(kind, flags, stream_id, len(payload)))
        for part, words in _payload(kind, payload, decoder):
            yield from _rows(1, part, words)


def _frame_words(kind: int, flags: int, stream_id: int, size: int) -> str:
    named = []
    if kind in (frames.DATA, frames.HEADERS) and flags & frames.END_STREAM:
        named.append("END_STREAM")
    if kind == frames.HEADERS and flags & frames.END_HEADERS:
        named.append("END_HEADERS")
    if kind == frames.SETTINGS and flags & frames.ACK:
        named.append("ACK")
    where = f"stream {stream_id}" if stream_id else "the connection"
    return f"{frames.FRAME_NAMES[kind]}, {size} bytes, {' and '.join(named) or 'no flags'}, {where}"


def _payload(kind: int, payload: bytes, decoder: Decoder) -> Iterator[tuple[bytes, str]]:
    if kind == frames.SETTINGS:
        for at in range(0, len(payload), 6):
            code, value = int.from_bytes(payload[at : at + 2]), int.from_bytes(payload[at + 2 : at + 6])
            yield payload[at : at + 6], f"{SETTING_NAMES[code]} = {value:,}"
    elif kind == frames.HEADERS:
        fields = decoder.decode(payload)
        for (piece, how), (name, text) in zip(_representations(payload), fields, strict=True):
            yield piece, f"{name.decode()}: {_short(text)}   ({how})"
    else:
        yield payload, _short(payload)


def _short(value: bytes) -> str:
    text = value.decode()
    return text if len(text) <= 40 else f"{text[:24]}…{text[-4:]}"


def _representations(block: bytes) -> Iterator[tuple[bytes, str]]:
    """The pieces of a header block, and how each is coded (RFC 7541, section 6)."""
    at = 0
    while at < len(block):
        start, first = at, block[at]
        if first & 0x80:
            index, at = read_integer(block, at, 0x7F)
            how = f"entry {index} of the {'static' if index <= 61 else 'dynamic'} table"
        else:
            index, at = read_integer(block, at, 0x3F if first & 0x40 else 0x0F)
            if not index:
                at = _behind_string(block, at)
            at = _behind_string(block, at)
            name = f"name of entry {index}" if index else "name spelt out"
            how = f"{name}, {'kept in the dynamic table' if first & 0x40 else 'not kept'}"
        yield block[start:at], how


def _behind_string(block: bytes, at: int) -> int:
    length, at = read_integer(block, at, 0x7F)
    return at + length


def _rows(indent: int, data: bytes, words: str) -> Sequence[str]:
    """Bytes in hexadecimal, and beside the first of their lines what they say."""
    pieces = [data[at : at + BYTES_A_LINE].hex(" ") for at in range(0, len(data), BYTES_A_LINE)]
    margin = "  " * indent
    width = 3 * BYTES_A_LINE + 2 - len(margin)
    return [f"{margin}{pieces[0]:<{width}}{words}", *(margin + piece for piece in pieces[1:])]
