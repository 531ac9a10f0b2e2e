"""Payloads of given sizes: of each device always the same one, spread as asked for. Pure."""

import re
from bisect import bisect_right
from typing import NamedTuple

import msgspec

from loadtest.errors import LoadSettingsError
from loadtest.workloads.manner import Attributes
from sender.fcm.message_template import ID_KEY, MessageTemplate
from sender.fcm.message_template import compile as compile_message
from sender.template import PAYLOAD_BYTES_MAX, Template
from sender.template import compile as compile_template
from simulator.devices.draws import WORD_RANGE, word_bound
from simulator.devices.fates import Provider

OPTION = "--payload-bytes"
SIZES_MAX = 64
"""Entries of the option."""

PADDING = "padding"
_ALERT = {"title": "Sale starts now", "body": "20% off until Friday"}
_APNS = {"aps": {"alert": _ALERT}, PADDING: "{{padding}}"}
_FCM = {"notification": _ALERT, "data": {PADDING: "{{padding}}"}}
_ID = "00000000-0000-0000-0000-000000000000"
_BYTES = {
    Provider.APNS: len(msgspec.json.encode(_APNS | {PADDING: ""})),
    # FCM counts the keys and values of data and notification (4,096 bytes at most); the id stands among the data.
    Provider.FCM: len(msgspec.json.encode(_FCM | {"data": {ID_KEY: _ID, PADDING: ""}})),
}
BYTES_MIN = max(_BYTES.values())
"""The smallest payload: what a title, a text and the notification's id take."""
BYTES_MAX = PAYLOAD_BYTES_MAX
"""The largest one, of APNs as of FCM."""

_SPREAD = 0x9E3779B1
"""2^32 over the golden ratio: multiples of it lie evenly in any range, for any run of indices."""
_ENTRY = re.compile(r"(?P<low>\d{1,9}|max)(?:\.\.(?P<high>\d{1,9}|max))?(?:=(?P<share>\d*\.?\d+))?")


class _Range(NamedTuple):
    low: int
    high: int
    share: float


class PayloadSizes:
    """Sizes as the option has them: `512`, `200..4096`, or several with their shares: `300=0.8,1000..max=0.2`.

    Raises LoadSettingsError.
    """

    def __init__(self, text: str) -> None:
        entries = [each.strip() for each in text.split(",")]
        if len(entries) > SIZES_MAX:
            raise LoadSettingsError(OPTION, f"{len(entries)} sizes: give at most {SIZES_MAX}")
        self._ranges = [_range(each, alone=len(entries) == 1) for each in entries]
        total = sum(each.share for each in self._ranges)
        if abs(total - 1) > 1e-6:
            raise LoadSettingsError(OPTION, f"the shares sum to {total:g}: make them sum to 1")
        shares = [each.share for each in self._ranges]
        self._bounds = [word_bound(sum(shares[:end])) for end in range(len(shares))]

    def of(self, index: int) -> int:
        """The size, in bytes, of what the device of this index gets."""
        word = index * _SPREAD % WORD_RANGE
        at = bisect_right(self._bounds, word) - 1
        low, high, share = self._ranges[at]
        if low == high:
            return low
        place = (word - self._bounds[at]) / (share * WORD_RANGE)
        return min(high, low + int(place * (high - low + 1)))


def _range(text: str, *, alone: bool) -> _Range:
    match = _ENTRY.fullmatch(text)
    if match is None or (match["share"] is None) is not alone:
        raise LoadSettingsError(
            OPTION,
            f"cannot read {text[:40]!r}: write a size such as 512, a range such as 200..{BYTES_MAX}, or several "
            "with their shares, such as 300=0.8,1000..max=0.2",
        )
    low, high = (BYTES_MAX if each == "max" else int(each) for each in (match["low"], match["high"] or match["low"]))
    if not BYTES_MIN <= low <= high <= BYTES_MAX:
        raise LoadSettingsError(
            OPTION, f"{text!r}: sizes are from {BYTES_MIN} to {BYTES_MAX} bytes, the least one first"
        )
    share = 1.0 if match["share"] is None else float(match["share"])
    if not 0 < share <= 1:
        raise LoadSettingsError(OPTION, f"{text!r}: a share is above 0, and 1 at most")
    return _Range(low, high, share)


def padded_payload() -> Template:
    """APNs: what is filled up."""
    return compile_template(msgspec.json.encode(_APNS))


def padded_message() -> MessageTemplate:
    """FCM: what is filled up."""
    return compile_message(msgspec.json.encode(_FCM))


def padding_of(sizes: PayloadSizes, provider: Provider) -> Attributes:
    """The attributes of devices: as much padding as makes their size."""
    filled, least = b"x" * BYTES_MAX, _BYTES[provider]

    def attributes(index: int, person: int) -> bytes:
        return b'{"padding":"%b"}' % filled[: sizes.of(index) - least]

    return attributes
