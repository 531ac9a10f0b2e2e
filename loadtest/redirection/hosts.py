"""The providers' hosts that are redirected, whatever the port.

The list stands here a second time, apart from the simulator's own; a test holds them together. The simulator's
certificate names the same hosts.
"""

PROVIDER_HOSTS = (
    "api.push.apple.com",  # A1, as all of Apple's
    "api.sandbox.push.apple.com",
    "api.development.push.apple.com",
    "api-broadcast.push.apple.com",
    "api-broadcast.sandbox.push.apple.com",
    "api-manage-broadcast.push.apple.com",
    "api-manage-broadcast.sandbox.push.apple.com",
    "fcm.googleapis.com",  # B1
    "oauth2.googleapis.com",  # B8
    "iid.googleapis.com",  # B9
)


def plain_host(host: str) -> str:
    """A host name as it is compared: neither case nor a last dot matters."""
    return host.removesuffix(".").lower()
