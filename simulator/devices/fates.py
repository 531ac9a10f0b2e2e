"""What can have become of a device: one row per fate, with the answer its token gets from each provider.

A fate is sealed into every synthetic token (`token_space`, `registration_space`) and can be set by hand for any token
through the control API. Codes are part of the token formats: never renumber a row, only add rows; FCM's have six bits.
"""

from enum import Enum, unique


@unique
class Provider(Enum):
    """Whose tokens there are, by the name that files, device stores and command lines call it."""

    APNS = "apns"
    FCM = "fcm"


_APNS = frozenset({Provider.APNS})
_FCM = frozenset({Provider.FCM})
_BOTH = _APNS | _FCM


@unique
class Death(Enum):
    """When a device of some fate stopped taking notifications, as told by the `timestamp` of APNs's 410 answer."""

    NONE = "none"
    AFTER_REGISTRATION = "after registration"
    BEFORE_REGISTRATION = "before registration"


@unique
class Fate(Enum):
    """Fates: code, name, APNs reason, FCM `errorCode` (None: accepted), providers, settable, invalidates, death, source.

    - `wire_name`: the name on the command line, in the control API and in reports.
    - `reason`: the `reason` string of APNs's answer.
    - `error_code`: the `errorCode` of FCM's answer. Registrations of iOS get it from APNs where APNs is asked.
    - `providers`: those that know the fate. Only their tokens can carry it or be set to it.
    - `settable`: the control API may set it for a token. The others are properties of how a token was minted.
    - `invalidates`: a sender that reads this answer rightly stops using the token.
    - `death`: whether an instant is sealed into an APNs token, and on which side of the registration it lies. FCM tells
      no instants.
    """

    ACTIVE = (
        0, "active", None, None, _BOTH, True, False, Death.NONE,
        "Handling notification responses from APNs: 200; FCM REST reference: messages.send",
    )  # fmt: skip
    UNREGISTERED = (
        1, "unregistered", "Unregistered", "UNREGISTERED", _BOTH, True, True, Death.AFTER_REGISTRATION,
        "Handling notification responses from APNs: 410, body has `timestamp`; FCM ErrorCode: 404 UNREGISTERED",
    )  # fmt: skip
    EXPIRED = (
        2, "expired", "ExpiredToken", None, _APNS, True, True, Death.AFTER_REGISTRATION,
        "Handling notification responses from APNs: 410; that it carries `timestamp` is likely, but unconfirmed",
    )  # fmt: skip
    WRONG_TOPIC = (
        3, "wrong-topic", "DeviceTokenNotForTopic", None, _APNS, True, True, Death.NONE,
        "Handling notification responses from APNs: 400, the token belongs to another topic",
    )  # fmt: skip
    WRONG_ENVIRONMENT = (
        4, "wrong-environment", "BadDeviceToken", None, _APNS, True, True, Death.NONE,
        "Handling notification responses from APNs: 400, the token is of the other environment",
    )  # fmt: skip
    # The app was removed and came back under the same token, and APNs still tells of the removal: its timestamp is
    # OLDER than the registration, so a sender must keep the token. By hand: `unregistered` with an early `since_ms`.
    # FCM tells no timestamp, and an app that comes back there has another token.
    REREGISTERED = (
        5, "reregistered", "Unregistered", None, _APNS, False, False, Death.BEFORE_REGISTRATION,
        "Handling notification responses from APNs: `timestamp`; met in production: pushy #674, PyAPNs2 #61",
    )  # fmt: skip
    # The token is good, for another project's credential: that is mended at the sender, and the token kept.
    OTHER_SENDER = (
        6, "other-sender", None, "SENDER_ID_MISMATCH", _FCM, True, False, Death.NONE,
        "FCM ErrorCode: 403 SENDER_ID_MISMATCH, the token was registered with another project",
    )  # fmt: skip
    STALE = (
        7, "stale", None, "UNREGISTERED", _FCM, True, True, Death.NONE,
        "Best practices for FCM registration token management: Android, 270 days without contact; iOS follows APNs",
    )  # fmt: skip
    # Damaged on its way into somebody's store: the text says nothing of the device any more.
    INVALID_SHAPE = (
        8, "invalid-shape", None, "INVALID_ARGUMENT", _FCM, False, True, Death.NONE,
        "FCM ErrorCode: 400 INVALID_ARGUMENT; captured: `The registration token is not a valid FCM registration token`",
    )  # fmt: skip

    def __init__(
        self,
        code: int,
        wire_name: str,
        reason: str | None,
        error_code: str | None,
        providers: frozenset[Provider],
        settable: bool,
        invalidates: bool,
        death: Death,
        source: str,
    ) -> None:
        self.code = code
        self.wire_name = wire_name
        self.reason = reason
        self.error_code = error_code
        self.providers = providers
        self.settable = settable
        self.invalidates = invalidates
        self.death = death
        self.source = source

    @classmethod
    def of_provider(cls, provider: Provider) -> "tuple[Fate, ...]":
        """The fates that a provider knows, in the order of their codes."""
        return tuple(fate for fate in cls if provider in fate.providers)

    @classmethod
    def of_code(cls, code: int) -> "Fate":
        """The fate with this code in the token. Raises `KeyError` when no row has it."""
        return _BY_CODE[code]

    @classmethod
    def of_name(cls, wire_name: str) -> "Fate":
        """The fate of this name. Raises `ValueError`, which lists the names, when no row has it."""
        fate = _BY_NAME.get(wire_name)
        if fate is None:
            raise ValueError(f"no fate is called {wire_name!r}; there are: {', '.join(_BY_NAME)}")
        return fate


_BY_CODE = {fate.code: fate for fate in Fate}
_BY_NAME = {fate.wire_name: fate for fate in Fate}
