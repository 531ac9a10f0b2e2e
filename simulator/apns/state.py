"""What the simulated APNs knows and how it is set up: one record, passed in, shared by all its connections."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, unique
from typing import Final

from simulator.apns.credential import REFUSED_TOKENS_MAX, SEEN_TOKENS_MAX, SeenToken
from simulator.apns.keys import ProviderKey
from simulator.apns.penalty import PenaltyRules
from simulator.apns.provider_token import PROVIDER_TOKEN_BYTES_MAX, is_signed_by, parse
from simulator.apns.reasons import Reason
from simulator.apns.token_updates import UPDATE_INTERVAL_S, CurrentToken, UpdateScope, with_token
from simulator.bounds import BoundReachedError
from simulator.devices.token_space import DEFAULT_EPOCH_MS
from simulator.recent_texts import RecentTexts
from simulator.registry import Registry

PROVIDER_KEYS_MAX: Final = 1000
"""Ours: how many keys one simulator knows, all teams together. Apple allows 200 topic-specific ones an environment."""

KEY_TOKENS_MAX: Final = 1024
"""Ours: for how many keys the current token is remembered across connections; the first goes."""


@unique
class Condition(Enum):
    """The state of the whole service: name, reason that every request gets."""

    OK = "ok", None
    SHUTTING_DOWN = "shutting-down", Reason.SHUTDOWN
    UNAVAILABLE = "unavailable", Reason.SERVICE_UNAVAILABLE
    INTERNAL_ERROR = "internal-error", Reason.INTERNAL_SERVER_ERROR

    def __init__(self, wire_name: str, reason: Reason | None) -> None:
        self.wire_name = wire_name
        self.reason = reason


@unique
class Authentication(Enum):
    """Whose provider tokens pass: those signed by known keys, or all that are well-formed.

    Lenient looks at no signature and knows every key; times (`iat`) and the scopes of known keys count all the same.
    """

    STRICT = "strict"
    LENIENT = "lenient"


@unique
class UnknownTokens(Enum):
    """What well-formed device tokens get that the rig neither minted nor was told of."""

    ACCEPT = "accept"
    REJECT = "reject"


@dataclass(slots=True)
class ApnsState:
    """State and settings of one simulated APNs.

    - `overlay`: device states set by hand; they win over what a token says of itself.
    - `clock_offset_s`: asked when a provider token is seen first; see `credential`.
    - `keys`: by team id and key id. `team_topics`: team id -> its bundle ids, or None for any; any too for teams not in it.
    - `update_interval_s`, `update_scope`: of `TooManyProviderTokenUpdates`.
    - `environment_key_reason`: `BadEnvironmentKeyInToken` as on the wire, or the documented spelling.
    - `penalty_rules`: of the 4xx throttle; None: off.
    - `device_rate`: whether one notification more is too much for a device token (lower-case) at this instant; None: off.
      `connection_rate`, `provider_token_rate`: the same for a connection (by its number) and for a provider token (its text).
    - `epoch_ms`: what the instants sealed into device tokens count from.
    - `watched`: told of every good provider token at its first sight. `key_watched`: of a key's new current token.
    - `seen_tokens`: the good provider tokens; `refused_tokens`: the version of the state that refused a token.
    - `version`: grows with every assignment to a field, so that what was derived from an older state is told apart.
      The mappings are therefore replaced as a whole, never changed in place.
    """

    overlay: Registry
    clock_offset_s: Callable[[], float]
    authentication: Authentication = Authentication.STRICT
    unknown_tokens: UnknownTokens = UnknownTokens.ACCEPT
    condition: Condition = Condition.OK
    update_interval_s: float = UPDATE_INTERVAL_S
    update_scope: UpdateScope = UpdateScope.CONNECTION
    environment_key_reason: Reason = Reason.BAD_ENVIRONMENT_KEY_IN_TOKEN
    penalty_rules: PenaltyRules | None = None
    device_rate: Callable[[bytes, float], bool] | None = None
    connection_rate: Callable[[int, float], bool] | None = None
    provider_token_rate: Callable[[bytes, float], bool] | None = None
    epoch_ms: int = DEFAULT_EPOCH_MS
    keys: Mapping[tuple[str, str], ProviderKey] = field(default_factory=dict)
    team_topics: Mapping[str, frozenset[bytes] | None] = field(default_factory=dict)
    key_tokens: Mapping[tuple[str, str], CurrentToken] = field(default_factory=dict)
    seen_tokens: RecentTexts[SeenToken] = field(default_factory=lambda: RecentTexts(SEEN_TOKENS_MAX))
    refused_tokens: RecentTexts[int] = field(default_factory=lambda: RecentTexts(REFUSED_TOKENS_MAX))
    watched: Callable[[SeenToken, float], None] | None = None
    key_watched: Callable[[tuple[str, str], CurrentToken], None] | None = None
    version: int = 0

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        if name != "version":
            object.__setattr__(self, "version", getattr(self, "version", 0) + 1)

    @property
    def rated(self) -> bool:
        """Whether any rate is kept."""
        return any(rule is not None for rule in (self.device_rate, self.connection_rate, self.provider_token_rate))

    def add_key(self, key: ProviderKey) -> None:
        """Make a key known, or replace it. Raises `BoundReachedError` when no further one fits."""
        identity = (key.team_id, key.key_id)
        if identity not in self.keys and len(self.keys) >= PROVIDER_KEYS_MAX:
            raise BoundReachedError("PROVIDER_KEYS_MAX", PROVIDER_KEYS_MAX, "remove keys that are no longer needed")
        self.keys = {**self.keys, identity: key}

    def remove_key(self, team_id: str, key_id: str) -> bool:
        """Revoke a key: its tokens become invalid on every connection at once. False: it was not known."""
        kept = {identity: key for identity, key in self.keys.items() if identity != (team_id, key_id)}
        removed = len(kept) < len(self.keys)
        self.keys = kept
        return removed

    def set_team_topics(self, team_id: str, topics: Iterable[str] | None) -> None:
        """Say which bundle ids a team has; None: any. Connections already bound keep those that they found."""
        found = None if topics is None else frozenset(topic.encode() for topic in topics)
        self.team_topics = {**self.team_topics, team_id: found}

    def forget_tokens(self) -> None:
        """Forget all provider tokens seen so far, their age and their order; for a reset."""
        self.seen_tokens.clear()
        self.refused_tokens.clear()
        self.key_tokens = {}

    def read_token(self, text: bytes, now_s: float) -> SeenToken | None:
        """The provider token of this text, verified; None when it is invalid but for its times. Keeps it if it is not.

        A token verified with a key that was replaced since is verified again, with its age kept.
        """
        seen = self.seen_tokens.get(text)
        if seen is not None:
            key = self._key_of(seen.token.team_id, seen.token.key_id)
            if seen.key == key and (seen.verified or self.authentication is Authentication.LENIENT):
                return seen
        if self.refused_tokens.get(text) == self.version:
            return None
        fresh = self._verify(text, seen, now_s)
        if fresh is not None:
            self.seen_tokens.keep(text, fresh)
            if seen is None and self.watched is not None:
                self.watched(fresh, now_s)
        elif len(text) <= PROVIDER_TOKEN_BYTES_MAX:
            self.refused_tokens.keep(text, self.version)
        return fresh

    def put_token(self, text: bytes, verified: bool, seen_at_s: float, clock_offset_s: float) -> None:
        """Know a provider token that another worker has read, so that it ages from its first sight anywhere.

        `seen_at_s`: when that was, by the simulator's clock, which was `clock_offset_s` ahead of the real one.
        """
        token = None if self.seen_tokens.get(text) is not None else parse(text)
        key = None if token is None else self._key_of(token.team_id, token.key_id)
        if token is not None and key is not None:
            seen = SeenToken.at_first_sight(text, token, key, verified, seen_at_s, clock_offset_s)
            self.seen_tokens.keep(text, seen)

    def _verify(self, text: bytes, seen: SeenToken | None, now_s: float) -> SeenToken | None:
        token = parse(text) if seen is None else seen.token
        key = None if token is None else self._key_of(token.team_id, token.key_id)
        if token is None or key is None:
            return None
        verified = self.authentication is Authentication.STRICT
        if verified and (key.public_key is None or not is_signed_by(token, key.public_key)):
            return None
        if seen is not None:
            return replace(seen, key=key, verified=verified)
        return SeenToken.at_first_sight(text, token, key, verified, now_s, self.clock_offset_s())

    def key_token_after(self, seen: SeenToken, now_s: float) -> CurrentToken | None:
        """What the current token of the key becomes across connections (`UpdateScope.KEY`); None: too soon."""
        current = self.key_tokens.get((seen.token.team_id, seen.token.key_id))
        return with_token(current, seen.text, now_s, self.update_interval_s, previous_passes=True)

    def keep_key_token(self, seen: SeenToken, current: CurrentToken) -> None:
        """Note the current token of a key across connections. A change counts as a new version of the state."""
        identity = (seen.token.team_id, seen.token.key_id)
        if self.key_tokens.get(identity) is current:
            return
        self.put_key_token(identity, current)
        if self.key_watched is not None:
            self.key_watched(identity, current)

    def put_key_token(self, identity: tuple[str, str], current: CurrentToken) -> None:
        """Note the current token of a key, by team and key id, as another worker has."""
        if self.key_tokens.get(identity) == current:
            return
        others = {known: token for known, token in self.key_tokens.items() if known != identity}
        if len(others) >= KEY_TOKENS_MAX:
            del others[next(iter(others))]
        self.key_tokens = {**others, identity: current}

    def _key_of(self, team_id: str, key_id: str) -> ProviderKey | None:
        known = self.keys.get((team_id, key_id))
        if known is None and self.authentication is Authentication.LENIENT:
            return ProviderKey(team_id, key_id, public_key=None)
        return known
