"""What can have become of a device: one row per fate, with the answer its token gets.

A fate is sealed into every synthetic token (`token_space`) and can be set by hand for any token through the control
API. Codes are part of the token format: never renumber a row, only add rows.
"""

from enum import Enum, unique


@unique
class Death(Enum):
    """When a device of some fate stopped taking notifications, as told by the `timestamp` of a 410 answer."""

    NONE = "none"
    AFTER_REGISTRATION = "after registration"
    BEFORE_REGISTRATION = "before registration"


@unique
class Fate(Enum):
    """Fates: code in the token, name, APNs reason (None: accepted), settable by hand, invalidates, death, source.

    - `wire_name`: the name on the command line, in the control API and in reports.
    - `reason`: the `reason` string of APNs's answer.
    - `settable`: the control API may set it for a token. The others are properties of how a token was minted.
    - `invalidates`: a sender that reads this answer rightly stops using the token.
    - `death`: whether an instant is sealed into the token, and on which side of the registration it lies.
    """

    ACTIVE = (
        0, "active", None, True, False, Death.NONE,
        "Handling notification responses from APNs: 200",
    )  # fmt: skip
    UNREGISTERED = (
        1, "unregistered", "Unregistered", True, True, Death.AFTER_REGISTRATION,
        "Handling notification responses from APNs: 410, body has `timestamp`",
    )  # fmt: skip
    EXPIRED = (
        2, "expired", "ExpiredToken", True, True, Death.AFTER_REGISTRATION,
        "Handling notification responses from APNs: 410; that it carries `timestamp` is likely, but unconfirmed",
    )  # fmt: skip
    WRONG_TOPIC = (
        3, "wrong-topic", "DeviceTokenNotForTopic", True, True, Death.NONE,
        "Handling notification responses from APNs: 400, the token belongs to another topic",
    )  # fmt: skip
    WRONG_ENVIRONMENT = (
        4, "wrong-environment", "BadDeviceToken", True, True, Death.NONE,
        "Handling notification responses from APNs: 400, the token is of the other environment",
    )  # fmt: skip
    # The app was removed and came back under the same token, and APNs still tells of the removal: its timestamp is
    # OLDER than the registration, so a sender must keep the token. By hand: `unregistered` with an early `since_ms`.
    REREGISTERED = (
        5, "reregistered", "Unregistered", False, False, Death.BEFORE_REGISTRATION,
        "Handling notification responses from APNs: `timestamp`; met in production: pushy #674, PyAPNs2 #61",
    )  # fmt: skip

    def __init__(
        self,
        code: int,
        wire_name: str,
        reason: str | None,
        settable: bool,
        invalidates: bool,
        death: Death,
        source: str,
    ) -> None:
        self.code = code
        self.wire_name = wire_name
        self.reason = reason
        self.settable = settable
        self.invalidates = invalidates
        self.death = death
        self.source = source

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
