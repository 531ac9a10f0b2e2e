"""What requests of senders change in a simulator beside its records: who follows which topic, which tokens have been seen.

`subject`: what two changes have to be about for their order to matter. Pure.
"""

from collections.abc import Callable
from typing import TypeAlias

from simulator.apns.token_updates import CurrentToken
from simulator.changes import Change, Steps
from simulator.devices.token_space import Environment
from simulator.fcm.access_token import Grant
from simulator.fcm.registrations import ApnsSeat
from simulator.rig import Rig

Subject: TypeAlias = tuple[str | bytes, ...]


class TopicFollowed(Change, frozen=True):
    """A registration, by its key, follows a topic."""

    registration: bytes
    topic: str
    added_at_s: int

    @property
    def subject(self) -> Subject:
        return "topic", self.topic, self.registration

    def apply(self, rig: Rig) -> Steps:
        rig.fcm.subscriptions.put(self.registration, self.topic, self.added_at_s)
        return ()


class TopicLeft(Change, frozen=True):
    """A registration follows a topic no longer."""

    registration: bytes
    topic: str

    @property
    def subject(self) -> Subject:
        return "topic", self.topic, self.registration

    def apply(self, rig: Rig) -> Steps:
        rig.fcm.subscriptions.drop(self.registration, self.topic)
        return ()


class ApnsImported(Change, frozen=True):
    """An APNs token has become a registration."""

    token: bytes
    application: str
    sandbox: bool

    @property
    def subject(self) -> Subject:
        return "import", self.application, self.token

    def apply(self, rig: Rig) -> Steps:
        environment = Environment.SANDBOX if self.sandbox else Environment.PRODUCTION
        rig.fcm.registrations.put(ApnsSeat(self.token, self.application, environment))
        return ()


class ProviderTokenSeen(Change, frozen=True):
    """A good provider token was seen for the first time: as in `ApnsState.put_token`."""

    text: bytes
    verified: bool
    seen_at_s: float
    clock_offset_s: float

    @property
    def subject(self) -> Subject:
        return "provider token", self.text

    def apply(self, rig: Rig) -> Steps:
        rig.apns.put_token(self.text, self.verified, self.seen_at_s, self.clock_offset_s)
        return ()


class KeyTokenChanged(Change, frozen=True):
    """A key goes by another provider token, where that is counted across connections."""

    team_id: str
    key_id: str
    text: bytes
    first_seen_s: float
    previous: bytes | None

    @property
    def subject(self) -> Subject:
        return "key", self.team_id, self.key_id

    def apply(self, rig: Rig) -> Steps:
        current = CurrentToken(self.text, self.first_seen_s, self.previous)
        rig.apns.put_key_token((self.team_id, self.key_id), current)
        return ()


class AccessTokenSeen(Change, frozen=True):
    """A self-signed access token was seen for the first time: an `authorization` value, and its `Grant`."""

    authorization: bytes
    caller: str
    scopes: list[str]
    valid_from_s: float
    expires_at_s: float
    may_send: bool

    @property
    def subject(self) -> Subject:
        return "access token", self.authorization

    def apply(self, rig: Rig) -> Steps:
        grant = Grant(self.caller, frozenset(self.scopes), self.valid_from_s, self.expires_at_s, self.may_send)
        rig.fcm.access.put(self.authorization, grant)
        return ()


TrafficChange: TypeAlias = (
    TopicFollowed | TopicLeft | ApnsImported | ProviderTokenSeen | KeyTokenChanged | AccessTokenSeen
)


def watch_traffic(rig: Rig, changed: Callable[[TrafficChange], None]) -> None:
    """Have it told what requests of senders change in this rig; what is put in by `apply` is not told."""

    def followed(registration: bytes, topic: str, added_at_s: int | None) -> None:
        left = added_at_s is None
        changed(TopicLeft(registration, topic) if left else TopicFollowed(registration, topic, added_at_s or 0))

    def imported(seat: ApnsSeat) -> None:
        changed(ApnsImported(seat.token, seat.application, seat.environment is Environment.SANDBOX))

    rig.fcm.subscriptions.watched = followed
    rig.fcm.registrations.watched = imported
    rig.apns.watched = lambda seen, now_s: changed(
        ProviderTokenSeen(seen.text, seen.verified, now_s, seen.clock_offset_s)
    )
    rig.apns.key_watched = lambda identity, current: changed(
        KeyTokenChanged(*identity, current.text, current.first_seen_s, current.previous)
    )
    rig.fcm.access.watched = lambda authorization, grant: changed(
        AccessTokenSeen(
            authorization, grant.caller, sorted(grant.scopes), grant.valid_from_s, grant.expires_at_s, grant.may_send
        )
    )
