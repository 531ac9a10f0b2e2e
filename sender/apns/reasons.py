"""What a sender does about each reason that APNs answers with: one row each, read from the provider's documentation anew.

The simulator has its own table of what it answers; a transcript in the tests referees both, so that one typo cannot agree
with itself.
"""

from enum import Enum, unique

from sender.reaction import Action


@unique
class ReasonRow(Enum):
    """Reason as on the wire, HTTP status, action, and the ground for the action.

    Sources: Apple, Handling notification responses from APNs; for `BadEnvironmentKeyInToken` the value observed by
    client libraries.
    """

    BAD_COLLAPSE_ID = "BadCollapseId", 400, Action.STOP, "the collapse id is the campaign's"
    BAD_DEVICE_TOKEN = "BadDeviceToken", 400, Action.INVALIDATE, "never repeat"
    BAD_EXPIRATION_DATE = "BadExpirationDate", 400, Action.STOP, "the expiration is the campaign's"
    BAD_MESSAGE_ID = "BadMessageId", 400, Action.STOP, "ids are made by one rule"
    BAD_PRIORITY = "BadPriority", 400, Action.STOP, "the priority is the campaign's"
    BAD_TOPIC = "BadTopic", 400, Action.STOP, "the topic is the campaign's"
    DEVICE_TOKEN_NOT_FOR_TOPIC = "DeviceTokenNotForTopic", 400, Action.INVALIDATE, "never repeat"
    DUPLICATE_HEADERS = "DuplicateHeaders", 400, Action.STOP, "headers are made by one rule"
    IDLE_TIMEOUT = "IdleTimeout", 400, Action.MOVE, "the connection idled too long"
    INVALID_PUSH_TYPE = "InvalidPushType", 400, Action.STOP, "the push type is the campaign's"
    MISSING_DEVICE_TOKEN = "MissingDeviceToken", 400, Action.REJECT, "nothing to send to"
    MISSING_TOPIC = "MissingTopic", 400, Action.STOP, "the topic is the campaign's"
    PAYLOAD_EMPTY = "PayloadEmpty", 400, Action.STOP, "the payload's template is the campaign's"
    TOPIC_DISALLOWED = "TopicDisallowed", 400, Action.STOP, "the credential may not send to the topic"
    BAD_CERTIFICATE = "BadCertificate", 403, Action.STOP, "the credential is the campaign's"
    BAD_CERTIFICATE_ENVIRONMENT = "BadCertificateEnvironment", 403, Action.STOP, "the credential is the campaign's"
    EXPIRED_PROVIDER_TOKEN = "ExpiredProviderToken", 403, Action.RENEW, "the provider token is over one hour old"
    FORBIDDEN = "Forbidden", 403, Action.STOP, "never repeat; the credential is the campaign's"
    INVALID_PROVIDER_TOKEN = "InvalidProviderToken", 403, Action.STOP, "the credential is the campaign's"
    MISSING_PROVIDER_TOKEN = "MissingProviderToken", 403, Action.STOP, "the credential is the campaign's"
    UNRELATED_KEY_ID = "UnrelatedKeyIdInToken", 403, Action.STOP, "the credential is the campaign's"
    BAD_ENVIRONMENT_KEY_ID = "BadEnvironmentKeyIdInToken", 403, Action.STOP, "the documented spelling"
    BAD_ENVIRONMENT_KEY = "BadEnvironmentKeyInToken", 403, Action.STOP, "the spelling on the wire"
    BAD_PATH = "BadPath", 404, Action.STOP, "paths are made by one rule"
    METHOD_NOT_ALLOWED = "MethodNotAllowed", 405, Action.STOP, "the method is always POST"
    EXPIRED_TOKEN = "ExpiredToken", 410, Action.INVALIDATE, "never repeat"
    UNREGISTERED = "Unregistered", 410, Action.INVALIDATE, "never repeat"
    PAYLOAD_TOO_LARGE = "PayloadTooLarge", 413, Action.REJECT, "personalised: another device's may fit"
    TOO_MANY_PROVIDER_TOKEN_UPDATES = "TooManyProviderTokenUpdates", 429, Action.RETRY, "keep the old token and wait"
    TOO_MANY_REQUESTS = "TooManyRequests", 429, Action.RETRY, "too many to one device: later"
    INTERNAL_SERVER_ERROR = "InternalServerError", 500, Action.RETRY, "with back-off"
    SERVICE_UNAVAILABLE = "ServiceUnavailable", 503, Action.RETRY, "with back-off"
    SHUTDOWN = "Shutdown", 503, Action.MOVE, "this server goes, others stay"

    def __init__(self, wire_name: str, status: int, action: Action, ground: str) -> None:
        self.wire_name, self.status, self.action, self.ground = wire_name, status, action, ground


ACTIONS = {row.wire_name: row.action for row in ReasonRow}


def action_for(status: int, reason: str) -> Action:
    """The action for an answer. A reason that no row knows is judged by its status: a provider may add reasons any day."""
    if status == 200:
        return Action.ACCEPT
    action = ACTIONS.get(reason)
    if action is not None:
        return action
    return Action.RETRY if status in (408, 429) or status >= 500 else Action.REJECT
