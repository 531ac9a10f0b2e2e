"""What one connection of a sender has shown of itself so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from simulator.apns.certificate import ClientCertificate
from simulator.apns.host_environment import environment_of, environment_of_host
from simulator.apns.keys import ProviderKey
from simulator.apns.penalty import Penalty
from simulator.apns.token_updates import CurrentToken
from simulator.devices.token_space import Environment

STREAMS_BEFORE_TOKEN: Final = 1
"""Source: Establishing a connection to APNs; a published trace of a token connection."""

STREAMS_MAX: Final = 1000
"""Source: the same; Apple says that the number varies."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """How a connection is authenticated; every change makes a new one, so that identity tells whether anything changed.

    - `key`: the one that the connection is bound to; None with a client certificate.
    - `team_topics`: the bundle ids of the team when it was bound (None: any); later ones are not reached.
    - `tokens`: key id -> the token that the key goes by here. Two at most: of the bound key and of its related one.
    """

    key: ProviderKey | None = None
    team_topics: frozenset[bytes] | None = None
    tokens: Mapping[str, CurrentToken] = field(default_factory=dict)


class Link:
    """One connection. `judge` and `settle` change it, nothing else does.

    - `environment`: by SNI; when that is none of Apple's hosts, by the first request's `:authority`, then it stays.
    - `certificate`: of the client, already trusted, or None.
    - `authenticated`: whether 1,000 streams may be opened. With a certificate at once, else from the first request
      whose provider token passes every check of it: that request's answer comes after the SETTINGS that say so.
    - `penalty`: see `penalty`; the shell keeps it up to date where the throttle is on.
    - `number`: of the connection, by which its rate is kept; None: it has none, as FCM's own way to APNs.
    """

    __slots__ = ("_settled", "authenticated", "certificate", "environment", "number", "penalty", "standing")

    def __init__(
        self, environment: Environment, certificate: ClientCertificate | None, settled: bool, number: int | None
    ) -> None:
        self.environment = environment
        self.certificate = certificate
        self.authenticated = certificate is not None
        self.standing: Standing | None = None if certificate is None else Standing()
        self.penalty = Penalty()
        self.number = number
        self._settled = settled

    @classmethod
    def opened(
        cls,
        sni: str | None,
        default: Environment,
        certificate: ClientCertificate | None = None,
        number: int | None = None,
    ) -> "Link":
        """The link of a new connection. `sni`: the host name in the TLS handshake, if any; `default`: the simulator's."""
        settled = environment_of_host(sni) is not None
        return cls(environment_of(sni, None, default), certificate, settled, number)

    def settle(self, authority: bytes | None) -> None:
        """Take the environment from the first request's host, unless SNI has told it. Later calls change nothing."""
        if not self._settled:
            self.environment = environment_of(None, authority, self.environment)
            self._settled = True

    @property
    def streams_max(self) -> int:
        """The MAX_CONCURRENT_STREAMS to advertise, the throttle left aside."""
        return STREAMS_MAX if self.authenticated else STREAMS_BEFORE_TOKEN
