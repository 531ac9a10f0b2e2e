"""The Message resource of FCM as records (B2): what a send request may hold, in the provider's words.

The records are the schema: names, types and bounds are read from them, by msgspec on the fast way and by
`simulator.fcm.message_form` for everything else. Wire names are those here or their lowerCamelCase. Absent and null are
None. A record that was read is well typed; whether its values make sense is `simulator.fcm.message_values`'s matter.

Sources: discovery document fcm v1 of March 2026 and the generated client of August 2026, which adds `fid`.
"""

from enum import Enum, unique
from typing import Annotated, ClassVar, Final, Literal, NamedTuple

from msgspec import Meta, Struct

TextMap = dict[str, str]
JsonObject = dict[str, object]

Duration = Annotated[str, Meta(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s\Z")]
"""Seconds with up to nine decimals and an `s`. That a sign is well formed, and only out of range, is protobuf's rule."""

Timestamp = Annotated[
    str,
    Meta(
        pattern=r"^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\.[0-9]{1,9})?Z\Z"
    ),
]
"""RFC 3339. The pattern is for the fast way, and takes less than is good: the ends of months and offsets are read slowly."""

INT32_MAX: Final = 2**31 - 1
FLOAT32_MAX: Final = 3.4028234663852886e38

Int32 = Annotated[int, Meta(ge=-INT32_MAX - 1, le=INT32_MAX)]
Float32 = Annotated[float, Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)]

AndroidMessagePriority = Literal["NORMAL", "HIGH", "normal", "high"]
NotificationPriority = Literal[
    "PRIORITY_UNSPECIFIED", "PRIORITY_MIN", "PRIORITY_LOW", "PRIORITY_DEFAULT", "PRIORITY_HIGH", "PRIORITY_MAX"
]
Visibility = Literal["VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"]
Proxy = Literal["PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"]


class Record(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A message of protobuf. `proto`: its name there, as Google's error texts give it."""

    proto: ClassVar[str]


class Notification(Record, frozen=True):
    """What every platform shows unless its own part says otherwise. `image`: a URL."""

    proto: ClassVar[str] = "google.firebase.fcm.v1.Notification"

    title: str | None = None
    body: str | None = None
    image: str | None = None


class FcmOptions(Record, frozen=True):
    """`analytics_label`: 1 to 50 of `[a-zA-Z0-9-_.~%]`, as in the options of each platform."""

    proto: ClassVar[str] = "google.firebase.fcm.v1.FcmOptions"

    analytics_label: str | None = None


class AndroidFcmOptions(Record, frozen=True):
    """As `FcmOptions`."""

    proto: ClassVar[str] = "google.firebase.fcm.v1.AndroidFcmOptions"

    analytics_label: str | None = None


class Color(Record, frozen=True):
    """Shares of light, 0 to 1 each."""

    proto: ClassVar[str] = "google.type.Color"

    red: Float32 | None = None
    green: Float32 | None = None
    blue: Float32 | None = None
    alpha: Float32 | None = None


class LightSettings(Record, frozen=True):
    """All three are required."""

    proto: ClassVar[str] = "google.firebase.fcm.v1.LightSettings"

    color: Color | None = None
    light_on_duration: Duration | None = None
    light_off_duration: Duration | None = None


class AndroidNotification(Record, frozen=True):
    """`color`: `#rrggbb`. `bypass_proxy_notification`: deprecated; `proxy` came after the discovery document."""

    proto: ClassVar[str] = "google.firebase.fcm.v1.AndroidNotification"

    title: str | None = None
    body: str | None = None
    icon: str | None = None
    color: str | None = None
    sound: str | None = None
    tag: str | None = None
    click_action: str | None = None
    body_loc_key: str | None = None
    body_loc_args: list[str] | None = None
    title_loc_key: str | None = None
    title_loc_args: list[str] | None = None
    channel_id: str | None = None
    ticker: str | None = None
    sticky: bool | None = None
    event_time: Timestamp | None = None
    local_only: bool | None = None
    notification_priority: NotificationPriority | None = None
    default_sound: bool | None = None
    default_vibrate_timings: bool | None = None
    default_light_settings: bool | None = None
    vibrate_timings: list[Duration] | None = None
    visibility: Visibility | None = None
    notification_count: Int32 | None = None
    light_settings: LightSettings | None = None
    image: str | None = None
    bypass_proxy_notification: bool | None = None
    proxy: Proxy | None = None


class AndroidConfig(Record, frozen=True):
    """`ttl`: 0 to 4 weeks, rounded down to whole seconds. `priority`: in either case. `data`: instead of the message's."""

    proto: ClassVar[str] = "google.firebase.fcm.v1.AndroidConfig"

    collapse_key: str | None = None
    priority: AndroidMessagePriority | None = None
    ttl: Duration | None = None
    restricted_package_name: str | None = None
    data: TextMap | None = None
    notification: AndroidNotification | None = None
    fcm_options: AndroidFcmOptions | None = None
    direct_boot_ok: bool | None = None
    bandwidth_constrained_ok: bool | None = None
    restricted_satellite_ok: bool | None = None


class WebpushFcmOptions(Record, frozen=True):
    """`link`: an HTTPS URL."""

    proto: ClassVar[str] = "google.firebase.fcm.v1.WebpushFcmOptions"

    link: str | None = None
    analytics_label: str | None = None


class WebpushConfig(Record, frozen=True):
    """`headers`: for example TTL, Urgency, Topic. `data`: instead of the message's."""

    proto: ClassVar[str] = "google.firebase.fcm.v1.WebpushConfig"

    headers: TextMap | None = None
    data: TextMap | None = None
    notification: JsonObject | None = None
    fcm_options: WebpushFcmOptions | None = None


class ApnsFcmOptions(Record, frozen=True):
    """`image`: a URL."""

    proto: ClassVar[str] = "google.firebase.fcm.v1.ApnsFcmOptions"

    analytics_label: str | None = None
    image: str | None = None


class ApnsConfig(Record, frozen=True):
    """`payload`: `aps` and custom keys. `live_activity_token` goes with a target, and is none itself."""

    proto: ClassVar[str] = "google.firebase.fcm.v1.ApnsConfig"

    headers: TextMap | None = None
    payload: JsonObject | None = None
    fcm_options: ApnsFcmOptions | None = None
    live_activity_token: str | None = None


@unique
class TargetKind(Enum):
    """The members of the oneof `target`; each value is the name of its field."""

    TOKEN = "token"  # noqa: S105 - no password
    FID = "fid"
    TOPIC = "topic"
    CONDITION = "condition"


class Target(NamedTuple):
    """Whom a message is for."""

    kind: TargetKind
    text: str


class Message(Record, frozen=True):
    """`name`: output only, ignored. Of the last four at most one is set."""

    proto: ClassVar[str] = "google.firebase.fcm.v1.Message"

    name: str | None = None
    data: TextMap | None = None
    notification: Notification | None = None
    android: AndroidConfig | None = None
    webpush: WebpushConfig | None = None
    apns: ApnsConfig | None = None
    fcm_options: FcmOptions | None = None
    token: str | None = None
    fid: str | None = None
    topic: str | None = None
    condition: str | None = None

    @property
    def target(self) -> Target | None:
        """The one target; None when no field names one, or the one that does is empty [choice]."""
        if self.token:
            return Target(TargetKind.TOKEN, self.token)
        if self.fid:
            return Target(TargetKind.FID, self.fid)
        if self.topic:
            return Target(TargetKind.TOPIC, self.topic)
        if self.condition:
            return Target(TargetKind.CONDITION, self.condition)
        return None


class SendRequest(Record, frozen=True):
    """The body of `messages:send`. `validate_only`: judge and send nothing."""

    proto: ClassVar[str] = "google.firebase.fcm.v1.SendMessageRequest"

    message: Message | None = None
    validate_only: bool = False
