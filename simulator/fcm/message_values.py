"""What a well-typed message may say: the checks of D4 8 and 9, in that order. Pure.

The first fault decides. A message that has only a token, a notification and data pays for its data keys alone. An empty
text counts as none, as everywhere in protobuf [choice]. Texts that no capture has are ours.
"""

import re
from typing import Final

from simulator.fcm.condition import parse_condition
from simulator.fcm.errors import Cause, Fault, data_key_fault, fault, field_fault
from simulator.fcm.message import (
    AndroidNotification,
    Color,
    LightSettings,
    Message,
    SendRequest,
    TextMap,
    WebpushConfig,
)
from simulator.fcm.topic_name import is_topic_name

TTL_S_MAX: Final = 28 * 24 * 60 * 60

RESERVED_DATA_KEYS: Final = frozenset({"from", "message_type"})
RESERVED_DATA_KEY_PREFIXES: Final = ("google.", "gcm.notification.")
"""Older pages reserve everything that starts with `google` or `gcm`; that is not done here."""

_FIRST_LETTERS: Final = frozenset(key[0] for key in (*RESERVED_DATA_KEYS, *RESERVED_DATA_KEY_PREFIXES))

_ANALYTICS_LABEL: Final = re.compile(r"[a-zA-Z0-9\-_.~%]{1,50}")
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_WHOLE_NUMBER: Final = re.compile(r"[0-9]+")
_HTTPS_URL: Final = re.compile(r"https://[^/\s][^\s]*", re.IGNORECASE)

_RECIPIENT_MISSING: Final = fault(Cause.RECIPIENT_MISSING)
_TOPIC_INVALID: Final = fault(Cause.TOPIC_INVALID)
_CONDITION_INVALID: Final = fault(Cause.CONDITION_INVALID)
_WEBPUSH_TTL_INVALID: Final = fault(Cause.WEBPUSH_TTL_INVALID)


def check_values(send: SendRequest) -> Fault | None:
    """The first value that FCM refuses; None: all are good."""
    message = send.message
    if message is None or not (message.token or message.fid or message.topic or message.condition):
        return _RECIPIENT_MISSING
    if message.data is not None:
        refused = _reserved_key(message.data, "message.data")
        if refused is not None:
            return refused
    if message.android is not None or message.webpush is not None or message.apns is not None:
        refused = _platforms(message)
    elif message.fcm_options is not None:
        refused = _analytics_label(message.fcm_options.analytics_label, "message.fcm_options")
    else:
        refused = None
    if refused is not None:
        return refused
    if message.condition and parse_condition(message.condition) is None:
        return _CONDITION_INVALID
    if message.topic and not is_topic_name(message.topic):
        return _TOPIC_INVALID
    return None


def _reserved_key(data: TextMap, path: str) -> Fault | None:
    for key in data:
        if key[:1] in _FIRST_LETTERS and (key in RESERVED_DATA_KEYS or key.startswith(RESERVED_DATA_KEY_PREFIXES)):
            return data_key_fault(key, path)
    return None


def _platforms(message: Message) -> Fault | None:
    """What the platforms' parts say: data keys of all first, then ttl, labels, and the rest by platform."""
    android, webpush = message.android, message.webpush
    # That the data of a platform has the same reserved keys is our choice.
    return (
        (_reserved_key(android.data, "message.android.data") if android and android.data else None)
        or (_reserved_key(webpush.data, "message.webpush.data") if webpush and webpush.data else None)
        or (_ttl(android.ttl) if android and android.ttl else None)
        or _analytics_labels(message)
        or (_android_notification(android.notification) if android and android.notification else None)
        or (_webpush(webpush) if webpush else None)
    )


def _ttl(text: str) -> Fault | None:
    """Rounded down to whole seconds before it is held against the limit."""
    whole, _, _ = text[:-1].partition(".")
    if float(text[:-1]) >= 0 and int(whole) <= TTL_S_MAX:
        return None
    return field_fault("message.android.ttl", f"TTL must be between 0 and {TTL_S_MAX} seconds.")


def _analytics_labels(message: Message) -> Fault | None:
    parts = (
        ("message.fcm_options", message.fcm_options),
        ("message.android.fcm_options", message.android and message.android.fcm_options),
        ("message.webpush.fcm_options", message.webpush and message.webpush.fcm_options),
        ("message.apns.fcm_options", message.apns and message.apns.fcm_options),
    )
    for path, options in parts:
        if options:
            refused = _analytics_label(options.analytics_label, path)
            if refused is not None:
                return refused
    return None


def _analytics_label(label: str | None, path: str) -> Fault | None:
    if not label or _ANALYTICS_LABEL.fullmatch(label):
        return None
    text = "Analytics label must be 1 to 50 characters of a-z, A-Z, 0-9 and -_.~%."
    return field_fault(f"{path}.analytics_label", text)


def _android_notification(notification: AndroidNotification) -> Fault | None:
    path = "message.android.notification"
    if notification.color and not _COLOR.fullmatch(notification.color):
        return field_fault(f"{path}.color", "Color must be in the form #rrggbb.")
    if notification.light_settings is not None:
        refused = _light_settings(notification.light_settings, f"{path}.light_settings")
        if refused is not None:
            return refused
    for at, timing in enumerate(notification.vibrate_timings or ()):
        if float(timing[:-1]) < 0:
            return _negative(f"{path}.vibrate_timings[{at}]")
    return None


def _light_settings(lights: LightSettings, path: str) -> Fault | None:
    """Colour and both durations are required; an absent part of a colour is 0 as in protobuf, an absent alpha 1."""
    for name in lights.__struct_fields__:
        value: Color | str | None = getattr(lights, name)
        if value is None:
            return field_fault(f"{path}.{name}", f"LightSettings requires {name}.")
        if isinstance(value, str) and float(value[:-1]) < 0:
            return _negative(f"{path}.{name}")
        if isinstance(value, Color):
            for part in value.__struct_fields__:
                share: float | None = getattr(value, part)
                if share is not None and not 0 <= share <= 1:
                    return field_fault(f"{path}.{name}.{part}", f"Color.{part} must be between 0 and 1.")
    return None


def _negative(path: str) -> Fault:
    return field_fault(path, "Duration must not be negative.")


def _webpush(webpush: WebpushConfig) -> Fault | None:
    """The name of the header in any case [choice]."""
    for name, value in (webpush.headers or {}).items():
        if name.lower() == "ttl" and not _WHOLE_NUMBER.fullmatch(value):
            return _WEBPUSH_TTL_INVALID
    link = webpush.fcm_options and webpush.fcm_options.link
    if not link or _HTTPS_URL.fullmatch(link):
        return None
    return field_fault("message.webpush.fcm_options.link", "The link must be an HTTPS URL.")
