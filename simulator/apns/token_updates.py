"""How often a provider token may change: the rule behind `TooManyProviderTokenUpdates`.

Apple: a new token no more than once in 20 minutes. Whether that counts per connection or per key is undocumented;
field reports speak of different tokens on one connection, so that is the default.
"""

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

UPDATE_INTERVAL_S: Final = 1200.0
"""Source: Establishing a token-based connection to APNs."""


@unique
class UpdateScope(Enum):
    """Over what the changes of a key's token are counted."""

    CONNECTION = "connection"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class CurrentToken:
    """The token that a key goes by. `first_seen_s`: by the simulator's clock. `previous`: the one before it."""

    text: bytes
    first_seen_s: float
    previous: bytes | None = None


def with_token(
    current: CurrentToken | None, text: bytes, now_s: float, interval_s: float, previous_passes: bool
) -> CurrentToken | None:
    """The current token once `text` is presented; None: it changes too soon.

    `previous_passes`: going back to the token before counts as no change. Needed where several connections share one
    current token, since they cannot all change at the same instant. A clock that was set back to before the current
    token was seen holds nobody up.
    """
    if current is None:
        return CurrentToken(text, now_s)
    if text == current.text or (previous_passes and text == current.previous):
        return current
    if 0 <= now_s - current.first_seen_s < interval_s:
        return None
    return CurrentToken(text, now_s, current.text)
