"""What an answer asks of a good sender: rows for both providers, written from their references and from nobody's code.

Sources: "Handling notification responses from APNs"; "FCM error codes" and "Best practices when sending FCM messages at
scale" (429, 500 and 503 are retried, 4xx are not; only UNREGISTERED tells that a registration is gone).
"""

from enum import Enum, unique


@unique
class Sense(Enum):
    """What to make of an answer."""

    ACCEPTED = "accepted"
    AGAIN = "to be sent again, after a pause"
    RENEW = "to be sent again with another credential"
    FINAL = "final"
    DEAD = "final, and the token is no good"


APNS_AGAIN = frozenset({"TooManyRequests", "TooManyProviderTokenUpdates", "IdleTimeout"})
"""By name: the status of `IdleTimeout` is 400. All of 429 and 5xx besides."""

APNS_DEAD = frozenset({"Unregistered", "ExpiredToken", "BadDeviceToken", "DeviceTokenNotForTopic"})
APNS_RENEW = frozenset({"ExpiredProviderToken"})
FCM_DEAD = frozenset({"UNREGISTERED"})


def sense_of(provider: str, status: int, reason: str | None) -> Sense:
    """What an answer asks for. `provider`: apns or fcm. `reason`: APNs's, or FCM's errorCode or status."""
    if status == 200:
        return Sense.ACCEPTED
    if status == 429 or status >= 500 or status == 0:
        return Sense.AGAIN
    if provider == "fcm":
        if status == 401 and reason != "THIRD_PARTY_AUTH_ERROR":
            return Sense.RENEW
        return Sense.DEAD if status == 404 and reason in FCM_DEAD else Sense.FINAL
    if reason in APNS_AGAIN:
        return Sense.AGAIN
    if reason in APNS_RENEW:
        return Sense.RENEW
    return Sense.DEAD if reason in APNS_DEAD or status == 410 else Sense.FINAL
