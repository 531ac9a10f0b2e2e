"""What each platform gets of a message, and whether it is too large (D4 10). Pure.

The limit is documented, its measure is not: the compact JSON of what is merged for a platform counts, in UTF-8 [choice].
What the server may add on the way to a device does not.
"""

from typing import Final

import msgspec

from simulator.devices.registration_space import Platform
from simulator.fcm.errors import Cause, Fault, fault
from simulator.fcm.message import JsonObject, Message, Record

MESSAGE_BYTES_MAX: Final = 4_096

_TOO_LARGE: Final = fault(Cause.MESSAGE_TOO_LARGE)


def check_size(message: Message, body_bytes: int, platform: Platform | None) -> Fault | None:
    """Whether what `platform` gets is too large; None: any of them might get it, as for topics.

    `body_bytes`: of the request. A payload holds nothing that the request does not, so short requests pass at once.
    """
    if body_bytes <= MESSAGE_BYTES_MAX:
        return None
    platforms = tuple(Platform) if platform is None else (platform,)
    too_large = any(payload_bytes(message, each) > MESSAGE_BYTES_MAX for each in platforms)
    return _TOO_LARGE if too_large else None


def payload_bytes(message: Message, platform: Platform) -> int:
    """The measure."""
    return len(msgspec.json.encode(payload_for(message, platform)))


def payload_for(message: Message, platform: Platform) -> JsonObject:
    """`data` and `notification` as Android and the web get them; a payload of APNs for iOS."""
    if platform is Platform.IOS:
        return apns_payload(message)
    if platform is Platform.WEB:
        webpush = message.webpush
        own = (None, None) if webpush is None else (webpush.data, webpush.notification)
    else:
        android = message.android
        own = (None, None) if android is None else (android.data, _named(android.notification))
    own_data, own_notification = own
    notification = {**_named(message.notification), **(own_notification or {})}
    data = message.data if own_data is None else own_data
    return {name: value for name, value in (("notification", notification), ("data", data)) if value}


def apns_payload(message: Message) -> JsonObject:
    """Title and text as `aps.alert` and the data as custom keys, overridden by what `apns.payload` says itself."""
    own: JsonObject = (message.apns and message.apns.payload) or {}
    aps: JsonObject = {}
    if message.notification is not None:
        aps["alert"] = {
            name: value for name, value in _named(message.notification).items() if name in ("title", "body")
        }
    own_aps = own.get("aps")
    if isinstance(own_aps, dict):
        own_alert, alert = own_aps.get("alert"), aps.get("alert")
        aps.update(own_aps)
        if isinstance(own_alert, dict) and isinstance(alert, dict):
            aps["alert"] = {**alert, **own_alert}
    payload: JsonObject = {**(message.data or {}), **own}
    if aps or "aps" not in payload:
        payload["aps"] = aps
    return payload


def _named(record: Record | None) -> JsonObject:
    """The fields of a record that are set."""
    if record is None:
        return {}
    return {name: value for name in record.__struct_fields__ if (value := getattr(record, name)) is not None}
