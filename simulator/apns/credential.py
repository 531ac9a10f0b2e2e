"""Provider tokens that were verified, kept by their exact text so that each is verified once.

The age of a credential is real time since `iat`, so that a fresh token of an outside sender is not born expired under a
shifted clock; advancing the clock then ages those already seen. So a token is kept with the clock's offset (the
simulator's now less the real now) at first sight, and ages by the simulator's clock from there:
age = (now - offset at first sight) - iat.
"""

from dataclasses import dataclass
from typing import Final

from simulator.apns.keys import ProviderKey
from simulator.apns.provider_token import AGE_S_MAX, SKEW_S_MAX, ProviderToken

SEEN_TOKENS_MAX: Final = 1024
"""How many good tokens are kept. One that was crowded out and comes back is verified again and counts as new."""

REFUSED_TOKENS_MAX: Final = 256
"""How many refused tokens are kept, apart from the good ones, so that a flood of bad ones crowds out none of these."""


@dataclass(frozen=True, slots=True)
class SeenToken:
    """A well-formed provider token with what its check found.

    - `verified`: its signature is the key's; false where lenient authentication did not look.
    - `valid_from_s`, `expires_after_s`: by the simulator's clock. The former is -inf but for a token whose `iat` lay too
      far ahead at first sight: a clock set back later does not unmake a token.
    """

    text: bytes
    token: ProviderToken
    key: ProviderKey
    verified: bool
    clock_offset_s: float
    valid_from_s: float
    expires_after_s: float

    @classmethod
    def at_first_sight(
        cls, text: bytes, token: ProviderToken, key: ProviderKey, verified: bool, now_s: float, clock_offset_s: float
    ) -> "SeenToken":
        """Date a token by the clock as it stands: `now_s` the simulator's now, `clock_offset_s` that less the real now."""
        earliest_s = token.issued_at_s - SKEW_S_MAX + clock_offset_s
        return cls(
            text=text,
            token=token,
            key=key,
            verified=verified,
            clock_offset_s=clock_offset_s,
            valid_from_s=earliest_s if now_s < earliest_s else float("-inf"),
            expires_after_s=token.issued_at_s + AGE_S_MAX + clock_offset_s,
        )
