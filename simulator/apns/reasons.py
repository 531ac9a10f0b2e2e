"""Why APNs refuses a notification: one row per reason, with what the wire needs to say so."""

from enum import Enum, unique

_RESPONSES = "Handling notification responses from APNs"


@unique
class Reason(Enum):
    """Rejections of a device push: exact `reason` string, HTTP status, source.

    The rows are those of Apple's table, in its order of status. Raises nothing; `of_name` raises KeyError for a string
    that is no row.
    """

    BAD_COLLAPSE_ID = "BadCollapseId", 400, _RESPONSES
    BAD_DEVICE_TOKEN = "BadDeviceToken", 400, _RESPONSES
    BAD_EXPIRATION_DATE = "BadExpirationDate", 400, _RESPONSES
    BAD_MESSAGE_ID = "BadMessageId", 400, _RESPONSES
    BAD_PRIORITY = "BadPriority", 400, _RESPONSES
    BAD_TOPIC = "BadTopic", 400, _RESPONSES
    DEVICE_TOKEN_NOT_FOR_TOPIC = "DeviceTokenNotForTopic", 400, _RESPONSES
    DUPLICATE_HEADERS = "DuplicateHeaders", 400, _RESPONSES
    # Idle connections are closed, not answered: this reason stands in the debug data of the GOAWAY.
    IDLE_TIMEOUT = "IdleTimeout", 400, _RESPONSES
    INVALID_PUSH_TYPE = "InvalidPushType", 400, _RESPONSES
    MISSING_DEVICE_TOKEN = "MissingDeviceToken", 400, _RESPONSES
    MISSING_TOPIC = "MissingTopic", 400, _RESPONSES
    PAYLOAD_EMPTY = "PayloadEmpty", 400, _RESPONSES
    TOPIC_DISALLOWED = "TopicDisallowed", 400, _RESPONSES
    BAD_CERTIFICATE = "BadCertificate", 403, _RESPONSES
    BAD_CERTIFICATE_ENVIRONMENT = (
        "BadCertificateEnvironment", 403,
        f"{_RESPONSES}; met as the debug data of a GOAWAY: sideshow/apns2 #93, #117",
    )  # fmt: skip
    EXPIRED_PROVIDER_TOKEN = "ExpiredProviderToken", 403, _RESPONSES
    FORBIDDEN = "Forbidden", 403, _RESPONSES
    INVALID_PROVIDER_TOKEN = "InvalidProviderToken", 403, _RESPONSES
    MISSING_PROVIDER_TOKEN = "MissingProviderToken", 403, _RESPONSES
    UNRELATED_KEY_ID_IN_TOKEN = "UnrelatedKeyIdInToken", 403, _RESPONSES
    # Two spellings of one reason: Apple's page has the first, its servers send the second. `ApnsState` chooses.
    BAD_ENVIRONMENT_KEY_ID_IN_TOKEN = "BadEnvironmentKeyIdInToken", 403, f"{_RESPONSES}: as documented"
    BAD_ENVIRONMENT_KEY_IN_TOKEN = (
        "BadEnvironmentKeyInToken", 403,
        "Seen on the wire, undocumented: APNSwift pull request 229, ApnsError captures of FCM",
    )  # fmt: skip
    BAD_PATH = "BadPath", 404, _RESPONSES
    METHOD_NOT_ALLOWED = "MethodNotAllowed", 405, _RESPONSES
    EXPIRED_TOKEN = "ExpiredToken", 410, f"{_RESPONSES}; that it carries `timestamp` is likely, but unconfirmed"
    UNREGISTERED = "Unregistered", 410, f"{_RESPONSES}: body has `timestamp`"
    PAYLOAD_TOO_LARGE = "PayloadTooLarge", 413, _RESPONSES
    TOO_MANY_PROVIDER_TOKEN_UPDATES = "TooManyProviderTokenUpdates", 429, _RESPONSES
    TOO_MANY_REQUESTS = "TooManyRequests", 429, _RESPONSES
    INTERNAL_SERVER_ERROR = "InternalServerError", 500, _RESPONSES
    SERVICE_UNAVAILABLE = "ServiceUnavailable", 503, _RESPONSES
    SHUTDOWN = "Shutdown", 503, _RESPONSES

    def __init__(self, wire_name: str, status: int, source: str) -> None:
        self.wire_name = wire_name
        self.status = status
        self.source = source

    @classmethod
    def of_name(cls, wire_name: str) -> "Reason":
        """The row of a wire string."""
        return _BY_NAME[wire_name]


_BY_NAME = {reason.wire_name: reason for reason in Reason}
