"""Which APNs environment a connection is for, by the host name it came to."""

from enum import Enum, unique

from simulator.devices.token_space import Environment

_SENDING = "Sending notification requests to APNs"
_BROADCAST = "Sending broadcast push notification requests"
_CHANNELS = "Sending channel management requests to APNs"


@unique
class ApnsHost(Enum):
    """Apple's hosts: name, environment, source."""

    PRODUCTION = "api.push.apple.com", Environment.PRODUCTION, _SENDING
    SANDBOX = "api.sandbox.push.apple.com", Environment.SANDBOX, _SENDING
    DEVELOPMENT = (
        "api.development.push.apple.com", Environment.SANDBOX,
        "Sending push notifications using command-line tools (sample): the old name of the sandbox, still in use",
    )  # fmt: skip
    BROADCAST = "api-broadcast.push.apple.com", Environment.PRODUCTION, _BROADCAST
    BROADCAST_SANDBOX = "api-broadcast.sandbox.push.apple.com", Environment.SANDBOX, _BROADCAST
    MANAGE = "api-manage-broadcast.push.apple.com", Environment.PRODUCTION, _CHANNELS
    MANAGE_SANDBOX = "api-manage-broadcast.sandbox.push.apple.com", Environment.SANDBOX, _CHANNELS

    def __init__(self, host_name: str, environment: Environment, source: str) -> None:
        self.host_name = host_name
        self.environment = environment
        self.source = source


_ENVIRONMENTS = {host.host_name: host.environment for host in ApnsHost}


def environment_of_host(host: str | bytes | None) -> Environment | None:
    """The environment of one host name; None when it is none of Apple's.

    `host`: an SNI name or the value of `:authority` or `host`; a port, a trailing dot and case do not matter.
    """
    if host is None:
        return None
    text = host.decode("latin-1") if isinstance(host, bytes) else host
    return _ENVIRONMENTS.get(text.partition(":")[0].rstrip(".").lower())


def environment_of(sni: str | None, authority: bytes | None, default: Environment) -> Environment:
    """The environment by SNI, then by `:authority` (or `host`), then the default of the simulator."""
    by_sni = environment_of_host(sni)
    if by_sni is not None:
        return by_sni
    by_authority = environment_of_host(authority)
    return default if by_authority is None else by_authority
