"""Whose host a client came to: it decides which protocols are spoken there, and who answers paths that nobody knows."""

from enum import Enum, unique

from simulator.apns.host_environment import ApnsHost
from simulator.devices.fates import Provider
from simulator.fcm.google_host import GoogleHost


@unique
class HostOwner(Enum):
    """Any other host, such as localhost, is nobody's: both providers answer there, by path. `provider`: who answers there."""

    APPLE = Provider.APNS
    GOOGLE = Provider.FCM

    @property
    def provider(self) -> Provider:
        return self.value


_OWNERS = {
    **{host.host_name: HostOwner.APPLE for host in ApnsHost},
    **{host.host_name: HostOwner.GOOGLE for host in GoogleHost},
}


def owner_of(host: str | bytes | None) -> HostOwner | None:
    """The owner of an SNI name or of the value of `:authority` or `host`; a port, a trailing dot and case do not matter."""
    if host is None:
        return None
    text = host.decode("latin-1") if isinstance(host, bytes) else host
    return _OWNERS.get(text.partition(":")[0].rstrip(".").lower())
