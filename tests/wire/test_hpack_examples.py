"""The worked examples of RFC 7541, appendix C, transcribed: C.1 integers, C.2 single fields, C.3 to C.6 whole exchanges."""

from dataclasses import dataclass

import pytest

from tests.wire.conformance.requirement import HPACK, requirement
from wire.hpack import Decoder, Encoder, integer, read_integer
from wire.request import Fields

PLAIN_REQUESTS = ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865")
PLAIN_THIRD_REQUEST = "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65"
CODED_REQUESTS = ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf")
CODED_THIRD_REQUEST = "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"

FIRST_REQUEST: Fields = (
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":path", b"/"),
    (b":authority", b"www.example.com"),
)
REQUESTS: tuple[Fields, ...] = (
    FIRST_REQUEST,
    (*FIRST_REQUEST, (b"cache-control", b"no-cache")),
    (
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":path", b"/index.html"),
        (b":authority", b"www.example.com"),
        (b"custom-key", b"custom-value"),
    ),
)

PLAIN_RESPONSES = (
    "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32"
    "3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "4803 3330 37c1 c0bf",
    "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970"
    "7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61"
    "6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
)
CODED_RESPONSES = (
    "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad"
    "1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
    "4883 640e ffc1 c0bf",
    "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2"
    "e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
)
DATE = (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT")
LATER = (b"date", b"Mon, 21 Oct 2013 20:13:22 GMT")
LOCATION = (b"location", b"https://www.example.com")
PRIVATE = (b"cache-control", b"private")
COOKIE = (b"set-cookie", b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1")
RESPONSES: tuple[Fields, ...] = (
    ((b":status", b"302"), PRIVATE, DATE, LOCATION),
    ((b":status", b"307"), PRIVATE, DATE, LOCATION),
    ((b":status", b"200"), PRIVATE, LATER, LOCATION, (b"content-encoding", b"gzip"), COOKIE),
)


@dataclass(frozen=True)
class Exchange:
    """Three header blocks in a row, and the size of the dynamic table behind each."""

    section: str
    coded: bool
    table_bytes_max: int
    blocks: tuple[str, ...]
    messages: tuple[Fields, ...]
    table_bytes: tuple[int, ...]


EXCHANGES = (
    Exchange("C.3", False, 4_096, (*PLAIN_REQUESTS, PLAIN_THIRD_REQUEST), REQUESTS, (57, 110, 164)),
    Exchange("C.4", True, 4_096, (*CODED_REQUESTS, CODED_THIRD_REQUEST), REQUESTS, (57, 110, 164)),
    Exchange("C.5", False, 256, PLAIN_RESPONSES, RESPONSES, (222, 222, 215)),
    Exchange("C.6", True, 256, CODED_RESPONSES, RESPONSES, (222, 222, 215)),
)


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.section)
@requirement(HPACK, "2.1", "An encoder MUST order")
@requirement(HPACK, "2.1", "A decoder MUST order")
@requirement(HPACK, "3.2", "To ensure")
def test_whole_exchanges_decode_and_encode_as_printed(exchange: Exchange) -> None:
    decoder, encoder = Decoder(), Encoder(coded=exchange.coded)
    for size in (exchange.table_bytes_max,) if exchange.table_bytes_max != 4_096 else ():
        encoder.limit_table(size)
        assert decoder.decode(encoder.encode(())) == []
    for block, fields, table_bytes in zip(exchange.blocks, exchange.messages, exchange.table_bytes, strict=True):
        assert tuple(decoder.decode(bytes.fromhex(block))) == fields
        assert decoder.table_bytes == table_bytes
        assert encoder.encode(fields).hex() == block.replace(" ", "")


@pytest.mark.parametrize(
    ("section", "block", "field", "table_bytes"),
    [
        ("C.2.1", "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key: custom-header", 55),
        ("C.2.2", "040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path", 0),
        ("C.2.3", "1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret", 0),
        ("C.2.4", "82", ":method: GET", 0),
    ],
)
def test_single_fields_decode_as_printed(section: str, block: str, field: str, table_bytes: int) -> None:
    decoder = Decoder()
    name, value = field.rsplit(": ", 1)
    assert decoder.decode(bytes.fromhex(block)) == [(name.encode(), value.encode())]
    assert decoder.table_bytes == table_bytes


@pytest.mark.parametrize(
    ("section", "coded", "mask", "value"),
    [("C.1.1", "0a", 0x1F, 10), ("C.1.2", "1f9a0a", 0x1F, 1_337), ("C.1.3", "2a", 0xFF, 42)],
)
def test_integers_are_coded_as_printed(section: str, coded: str, mask: int, value: int) -> None:
    assert integer(value, mask, 0).hex() == coded
    assert read_integer(bytes.fromhex(coded), 0, mask) == (value, len(coded) // 2)
