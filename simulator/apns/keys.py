"""The keys that sign provider tokens, and how far each reaches."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.apns.push_types import bundle_id
from simulator.devices.token_space import Environment

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

IDENTIFIER_CHARACTERS = 10
"""Team ids and key ids. Source: Establishing a token-based connection to APNs."""

KEY_TOPICS_MAX = 400
"""Source: account help on topic-specific keys."""


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """One key of a team, as its developer account describes it.

    - `public_key`: on curve P-256. None: its signatures are never verified (unknown keys with lenient authentication).
    - `environment`: None for keys from before scoping, which serve both.
    - `topics`: the listed topics of a topic-specific key; None: all topics of the team.
    - `related_key_id`: the key that may take turns with this one on a connection.

    Raises `ValueError` for an id that is not 10 characters, another curve, or too many topics.
    Source: Establishing a token-based connection to APNs, and the account help on team-scoped and topic-specific keys.
    """

    team_id: str
    key_id: str
    public_key: "EllipticCurvePublicKey | None"
    environment: Environment | None = None
    topics: frozenset[bytes] | None = None
    related_key_id: str | None = None

    def __post_init__(self) -> None:
        for what, value in (("team id", self.team_id), ("key id", self.key_id)):
            if len(value) != IDENTIFIER_CHARACTERS:
                raise ValueError(f"the {what} {value!r} must have {IDENTIFIER_CHARACTERS} characters")
        if self.public_key is not None and self.public_key.curve.name != "secp256r1":
            raise ValueError(
                f"key {self.key_id} is on curve {self.public_key.curve.name}; provider tokens need P-256 (secp256r1)"
            )
        if self.topics is not None and len(self.topics) > KEY_TOPICS_MAX:
            raise ValueError(f"key {self.key_id} lists {len(self.topics)} topics; at most {KEY_TOPICS_MAX} are allowed")


def may_take_turns(bound: ProviderKey, other: ProviderKey) -> bool:
    """Whether a connection bound to one key may go on with another one of the same team.

    Only the same key or its related one. Apple calls the relation declared; that one side's declaration is enough is
    our choice. Team-scoped and topic-specific keys, and keys of different environments, never mix.
    """
    if other.key_id == bound.key_id:
        return True
    declared = bound.related_key_id == other.key_id or other.related_key_id == bound.key_id
    same_kind = (bound.topics is None) == (other.topics is None)
    return declared and same_kind and bound.environment == other.environment


def covers(topics: frozenset[bytes] | None, topic: bytes) -> bool:
    """Whether a list of topics (None: any) reaches a topic. A listed bundle id reaches its suffixed topics too [choice]."""
    return topics is None or topic in topics or bundle_id(topic) in topics
