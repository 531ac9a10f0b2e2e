"""Chance for faults: keyed hashes of what happens, so that neither other draws nor concurrency change any. Pure."""

from hashlib import blake2b
from typing import NamedTuple


def fault_key(seed: int, number: int) -> bytes:
    """The key that one fault draws by. `number`: sets faults with one seed apart; 0 where they shall draw alike."""
    return b"%d/%d" % (seed, number)


def uniform(key: bytes, purpose: bytes, *facts: bytes) -> float:
    """A number from 0 to below 1: the same for the same key, purpose and facts."""
    state = blake2b(key=key, digest_size=8, person=purpose)
    for fact in facts:
        state.update(b"%d:" % len(fact))
        state.update(fact)
    return (int.from_bytes(state.digest()) >> 11) * 2.0**-53


class Draws(NamedTuple):
    """What one fault draws for one request. `answer`: the how manieth to the token that the fault sees, from 1."""

    key: bytes
    token: bytes
    answer: int
    connection: int

    def of_request(self, purpose: bytes) -> float:
        """Drawn anew for each answer to a token. `purpose`: up to 16 bytes that set draws of one fault apart."""
        return uniform(self.key, purpose, self.token, b"%d" % self.answer)

    def of_connection(self, purpose: bytes) -> float:
        """Drawn once for each connection."""
        return uniform(self.key, purpose, b"%d" % self.connection)
