"""The hosts of Google that the simulator answers for."""

from enum import Enum, unique


@unique
class GoogleHost(Enum):
    """Name, what is there, source."""

    FCM = "fcm.googleapis.com", "messages and topic subscriptions", "B1, B10"
    OAUTH = "oauth2.googleapis.com", "the token endpoint", "B8"
    INSTANCE_ID = "iid.googleapis.com", "Instance ID", "B9"

    def __init__(self, host_name: str, what: str, source: str) -> None:
        self.host_name = host_name
        self.what = what
        self.source = source
